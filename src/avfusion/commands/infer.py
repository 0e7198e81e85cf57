"""`avf infer`: write the predictions of a trained run again."""

import argparse
from pathlib import Path

from avfusion.commands.options import layout, run_folder

HELP = "Write the predictions of a trained run again."
STAGE = 41


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("folder", type=Path, metavar="RUN", help="such as results/runs/demo/ca/seed0")


def run(args: argparse.Namespace) -> None:
    """Predict with the weights in the run's folder and write the predictions there."""
    from avfusion.runs.scaling import warn
    from avfusion.runs.train import write_traces

    folder = run_folder(args)
    write_traces(folder, layout(args))
    warn(folder)
