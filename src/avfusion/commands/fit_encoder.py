"""`avf fit-encoder`: fit an encoder on the training partition."""

import argparse

from avfusion.commands import options

HELP = "Fit an encoder on the training partition."
STAGE = 30


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("encoder")
    options.settings_option(sub)
    sub.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="fit in N processes, each with a part of every batch and its own GPU if there is any; "
        "default: `processes` of the config, or 1 with --settings",
    )


def run(args: argparse.Namespace) -> int:
    """Fit the encoder, in several processes if asked to; return the exit status."""
    import json
    import tempfile
    from pathlib import Path

    from avfusion.config.jobs import EncoderSettings
    from avfusion.encoders.stage import fit
    from avfusion.training import distributed as ranks

    settings = options.settings(
        args, EncoderSettings, lambda study: study.encoder_settings(args.encoder, args.corpus)
    )
    layout, processes = options.layout(args), args.processes
    if processes is None:
        processes = 1 if args.settings else options.study(args).processes(args.encoder)
    if not ranks.started():
        options.log_outside(settings.outside)
    if processes > 1 and not ranks.started():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "settings.json")
            file.write_text(json.dumps(settings.document()), encoding="utf-8")
            words = ["fit-encoder", args.corpus, args.encoder, "--results", str(layout.results)]
            return ranks.launch([*words, "--settings", str(file)], processes)
    with ranks.joined():
        fit(args.corpus, settings, layout)
    return 0
