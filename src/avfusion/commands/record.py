"""`avf record`: show finished runs in MLflow."""

import argparse

from avfusion.commands.options import layout, settings, settings_option

HELP = "Show finished runs in MLflow."


STAGE = 61


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("--store", help="tracking URI; default: SQLite under the results folder")
    settings_option(sub)


def run(args: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from avfusion.tracking.record import record_corpus

    own = settings(args, lambda study: study.record_settings())
    return record_corpus(args.corpus, layout(args), store=args.store, study=own)
