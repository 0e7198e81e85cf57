"""`avf repeat`: train a run again from the settings in its folder, and compare both."""

import argparse
from pathlib import Path

from avfusion.commands.messages import say
from avfusion.commands.options import layout, run_folder

HELP = "Train a run again from the settings in its folder and compare both; 0 if equal."
STAGE = 42


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("folder", type=Path, metavar="RUN", help="such as results/runs/demo/ca/seed0")
    sub.add_argument("--keep", type=Path, help="new folder for the second run")


def run(args: argparse.Namespace) -> int:
    """Print the comparison; return 0 if equal, or close enough on another kind of machine."""
    from avfusion.runs.repeat import repeat

    verdict = repeat(run_folder(args), layout(args), args.keep)
    say("\n".join(verdict.lines))
    return int(not verdict.good)
