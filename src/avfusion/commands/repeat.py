"""`avf repeat`: train a run again from its own folder and compare."""

import argparse
from pathlib import Path

from avfusion.commands.options import layout

HELP = "Train a run again from its own folder and compare; 0 if equal."


STAGE = 42


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("folder", type=Path, metavar="RUN", help="such as results/runs/demo/ca/seed0")
    sub.add_argument("--keep", type=Path, help="a new folder for the second run")


def run(args: argparse.Namespace) -> int:
    """Do it; 0 if equal, or near enough where the machines differ in kind."""
    from avfusion.runs.repeat import repeat

    verdict = repeat(args.folder, layout(args), args.keep)
    print("\n".join(verdict.lines))
    return int(not verdict.good)
