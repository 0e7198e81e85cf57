"""`avf fit-encoder`: fit an encoder on the training partition, once or several times."""

import argparse

from avfusion.commands import options

HELP = "Fit an encoder on the training partition."
STAGE = 30


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("encoder", nargs="+", help="one after the other, such as the fits of one")
    options.settings_option(sub)
    sub.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="fit in N processes, each with a part of every batch and its own GPU if there is any; "
        "default: `processes` of the config, or 1 with --settings",
    )


def run(args: argparse.Namespace) -> int:
    """Fit each encoder, in several processes if asked to; return the exit status."""
    import json
    import tempfile
    from pathlib import Path

    from avfusion.config.jobs import EncodersSettings
    from avfusion.encoders.stage import fit
    from avfusion.io.halves import remove_left
    from avfusion.training import distributed as ranks

    encoders = options.encoders(args)
    layout, processes = options.layout(args), args.processes
    if processes is None:
        processes = 1 if args.settings else options.study(args).processes(args.encoder[0])
    if not ranks.started():
        options.log_outside({use: code for each in encoders for use, code in each.outside.items()})
    if processes > 1 and not ranks.started():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "settings.json")
            document = EncodersSettings(encoders=encoders).document()
            file.write_text(json.dumps(document), encoding="utf-8")
            words = ["fit-encoder", args.corpus, *args.encoder, "--results", str(layout.results)]
            return ranks.launch([*words, "--settings", str(file)], processes)
    with ranks.joined():
        for settings in encoders:
            if not ranks.started():
                remove_left(layout.encoder(args.corpus, settings.encoder))
            fit(args.corpus, settings, layout)
    return 0
