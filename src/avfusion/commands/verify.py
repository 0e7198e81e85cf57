"""`avf verify`: check the files of a corpus and write its manifest."""

import argparse
from pathlib import Path

from avfusion.commands import options
from avfusion.commands.messages import say

HELP = "Check the files of a corpus and write its manifest."
STAGE = 11


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument(
        "--against", type=Path, help="fingerprints.parquet of another laboratory, to compare with"
    )
    options.settings_option(sub)


def run(args: argparse.Namespace) -> int:
    """Check the corpus, and compare its files with another copy if asked to."""
    from avfusion.corpora.verify import verify
    from avfusion.io.halves import remove_left

    layout = options.layout(args)
    remove_left(layout.media(args.corpus))  # also where the media stage does not run again
    code = verify(args.corpus, options.corpus_settings(args), layout)
    if args.against:
        from avfusion.corpora.tree.compare import compare

        say("\n".join(compare(layout.fingerprints(args.corpus), args.against)))
    return code
