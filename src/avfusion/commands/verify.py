"""`avf verify`: check a corpus tree and write its manifest."""

import argparse
from pathlib import Path

from avfusion.commands.options import corpus_settings, layout, settings_option

HELP = "Check a corpus tree and write its manifest."


STAGE = 11


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument(
        "--against", type=Path, help="fingerprints.parquet of another laboratory, to compare with"
    )
    settings_option(sub)


def run(args: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from avfusion.corpora.verify import verify

    code = verify(args.corpus, corpus_settings(args), layout(args))
    if args.against:
        from avfusion.corpora.tree.compare import compare

        print(*compare(layout(args).fingerprints(args.corpus), args.against), sep="\n")
    return code
