"""`avf choose`: take the best point of a fusion's grid, by validation alone."""

import argparse

from avfusion.commands.options import layout, settings, settings_option

HELP = "Take the best point of a fusion's grid, by validation alone."


STAGE = 39


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("fusion")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.runs.choose import choose

    own = settings(args, lambda study: study.grid_settings(args.corpus, args.fusion))
    said = choose(own, layout(args))
    score = "no score: all failed" if said["score"] is None else f"validation {said['score']:.4f}"
    print(f"{args.fusion}: {said['chosen']} of {len(said['points'])} points, {score}")
