"""`avf infer`: write the traces of a trained run again."""

import argparse
from pathlib import Path

from avfusion.commands.options import layout

HELP = "Write the traces of a trained run again."


STAGE = 41


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("folder", type=Path, metavar="RUN")


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.runs.train import write_traces

    write_traces(args.folder, layout(args))
