"""`avf index`: join the shards of a media or feature folder."""

import argparse
from pathlib import Path

HELP = "Join the shards of a media or feature folder."


STAGE = 29


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("folder")
    said = "how many they are; needed where sets of several sizes differ"
    sub.add_argument("--shards", type=int, help=said)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.io.shards import join

    join(Path(args.folder), args.shards)
