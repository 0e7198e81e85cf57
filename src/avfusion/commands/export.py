"""`avf export`: write a verified corpus in a format that other tools read."""

import argparse
from pathlib import Path

from avfusion.commands.messages import say
from avfusion.commands.options import layout

HELP = "Write a verified corpus' files, partitions and ratings as an audformat database."
STAGE = 12


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument(
        "--audformat", type=Path, required=True, metavar="DIR", help="folder to write to"
    )


def run(args: argparse.Namespace) -> None:
    """Write the database and print its files."""
    from avfusion.corpora.formats.audformat_export import write_database

    for path in write_database(args.corpus, layout(args), args.audformat):
        say(path)
