"""`avf export`: a verified corpus' files, partitions and ratings in a form that others read."""

import argparse
from pathlib import Path

from avfusion.commands.options import layout

HELP = "Write a verified corpus' files, partitions and ratings as an audformat database."


STAGE = 12


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("--audformat", type=Path, required=True, metavar="DIR", help="goes there")


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.corpora.formats.audformat_export import write_database

    for path in write_database(args.corpus, layout(args), args.audformat):
        print(path)
