"""`avf fit-encoder`: fit an encoder on train."""

import argparse

from avfusion.commands.options import layout, settings, settings_option, study

HELP = "Fit an encoder on train."


STAGE = 30


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("encoder")
    settings_option(sub)
    said = (
        "fit in N processes, each with a part of every batch and a GPU of its own if there is any"
    )
    sub.add_argument("--processes", type=int, metavar="N", help=f"{said}; default: the config's")


def run(args: argparse.Namespace) -> int:
    """Do it; an expected failure is an `AvfError`."""
    import json

    from avfusion.encoders.stage import fit
    from avfusion.training import distributed as ranks

    own = settings(args, lambda study: study.encoder_settings(args.encoder, args.corpus))
    processes = args.processes
    if processes is None:
        processes = 1 if args.settings else study(args).processes(args.encoder)
    if processes > 1 and not ranks.started():
        words = ["fit-encoder", args.corpus, args.encoder, "--results", str(layout(args).results)]
        return ranks.launch([*words, "--settings", json.dumps(own)], processes)
    with ranks.joined():
        fit(args.corpus, own, layout(args))
    return 0
