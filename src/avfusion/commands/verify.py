"""`avf verify`: check the files of a corpus and write its manifest."""

import argparse
from pathlib import Path

from avfusion.commands.options import corpus_settings, layout, settings_option

HELP = "Check the files of a corpus and write its manifest."
STAGE = 11


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument(
        "--against", type=Path, help="fingerprints.parquet of another laboratory, to compare with"
    )
    settings_option(sub)


def run(args: argparse.Namespace) -> int:
    """Check the corpus, and compare its files with another copy if asked to."""
    from avfusion.corpora.verify import verify

    code = verify(args.corpus, corpus_settings(args), layout(args))
    if args.against:
        from avfusion.corpora.tree.compare import compare

        print(*compare(layout(args).fingerprints(args.corpus), args.against), sep="\n")
    return code
