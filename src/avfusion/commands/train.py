"""`avf train`: fit one fusion with one seed; write traces."""

import argparse

from avfusion.commands.options import layout, settings, settings_option

HELP = "Fit one fusion with one seed; write traces."


STAGE = 40


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("fusion")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--point", help="a point of the fusion's grid, instead of the chosen one")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.config.grid import at_point
    from avfusion.io.atomic import alone
    from avfusion.runs.files import run_folder
    from avfusion.runs.train import train_run

    own = settings(args, lambda s: s.run_settings(args.corpus, args.fusion, args.seed))
    own = at_point(own, args.point) if args.point else own
    with alone(run_folder(own, layout(args))):
        train_run(own, layout(args))
