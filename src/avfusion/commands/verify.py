"""`avf verify`: check a corpus tree and write its manifest."""

import argparse

from avfusion.commands._options import corpus_settings, layout, settings_option

HELP = "Check a corpus tree and write its manifest."
STAGE = 11


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    settings_option(sub)


def run(args: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from avfusion.corpora._verify import verify

    return verify(args.corpus, corpus_settings(args), layout(args))
