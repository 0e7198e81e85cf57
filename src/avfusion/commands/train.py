"""`avf train`: train one fusion with one or several seeds and write the predictions."""

import argparse

from avfusion.commands import options

HELP = "Train one fusion with one or several seeds and write the predictions."
STAGE = 40


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("fusion")
    sub.add_argument(
        "--seed", type=int, nargs="+", metavar="N", help="default: 0, or those of --settings"
    )
    sub.add_argument("--point", help="a point of the fusion's grid, instead of the chosen one")
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Train the runs, each in its folder, which no other process may use meanwhile."""
    from avfusion.config.grid import at_point
    from avfusion.runs.several import train_runs

    runs = options.runs(args)
    if args.point:
        runs = [run if run.point == args.point else at_point(run, args.point) for run in runs]
    options.log_outside({use: code for run in runs for use, code in run.outside.items()})
    train_runs(runs, options.layout(args))
