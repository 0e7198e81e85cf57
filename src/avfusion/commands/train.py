"""`avf train`: train one fusion with one seed and write its predictions."""

import argparse

from avfusion.commands import options

HELP = "Train one fusion with one seed and write its predictions."
STAGE = 40


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("fusion")
    sub.add_argument("--seed", type=int, help="default: 0, or that of --settings")
    sub.add_argument("--point", help="a point of the fusion's grid, instead of the chosen one")
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Train the run in its folder, which no other process may use meanwhile."""
    from avfusion.config.grid import at_point
    from avfusion.config.jobs import RunSettings
    from avfusion.io.atomic import locked
    from avfusion.runs.files import run_folder
    from avfusion.runs.train import train_run

    settings = options.settings(
        args,
        RunSettings,
        lambda study: study.run_settings(args.corpus, args.fusion, args.seed or 0),
    )
    if args.point and args.point != settings.point:
        settings = at_point(settings, args.point)
    options.log_outside(settings.outside)
    layout = options.layout(args)
    with locked(run_folder(settings, layout)):
        train_run(settings, layout)
