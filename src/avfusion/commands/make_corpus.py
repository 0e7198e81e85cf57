"""`avf make-corpus`: generate a corpus that avf makes itself."""

import argparse

from avfusion.commands.options import corpus_settings, settings_option

HELP = "Generate a corpus that avf makes itself."


STAGE = 10


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.corpora.base import build

    build(args.corpus, corpus_settings(args)).make()
