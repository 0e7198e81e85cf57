"""`avf make-corpus`: generate a synthetic corpus."""

import argparse

from avfusion.commands.options import corpus_settings, settings_option

HELP = "Generate a synthetic corpus."
STAGE = 10


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the files of the corpus below its root."""
    from avfusion.corpora.base import build

    build(args.corpus, corpus_settings(args)).make()
