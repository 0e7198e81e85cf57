"""`avf record`: log finished runs to MLflow."""

import argparse

from avfusion.commands import options

HELP = "Log finished runs to MLflow."
STAGE = 61


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("--store", help="tracking URI; default: SQLite under the results folder")
    options.settings_option(sub)


def run(args: argparse.Namespace) -> int:
    """Log the runs of a corpus; return the exit status."""
    from avfusion.config.jobs import RecordSettings
    from avfusion.tracking.record import record_corpus

    settings = options.settings(args, RecordSettings, lambda study: study.record_settings())
    return record_corpus(args.corpus, settings, options.layout(args), store=args.store)
