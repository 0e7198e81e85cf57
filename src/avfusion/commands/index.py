"""`avf index`: join the shards of a media or feature folder into one index, in each folder."""

import argparse
from pathlib import Path

HELP = "Join the shards of a media or feature folder into one index."
STAGE = 29


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("folder", nargs="+")
    sub.add_argument(
        "--shards",
        type=int,
        help="number of shards; needed if the folder holds sets of different numbers",
    )


def run(args: argparse.Namespace) -> None:
    """Write the index.parquet of each folder."""
    from avfusion.io.shards import join

    for folder in args.folder:
        join(Path(folder), args.shards)
