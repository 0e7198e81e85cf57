"""`avf choose`: choose the best point of a fusion's grid on the validation partition."""

import argparse

from avfusion.commands import options
from avfusion.commands.messages import say

HELP = "Choose the best point of a fusion's grid on the validation partition."
STAGE = 39


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("fusion")
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Choose a grid point, write chosen.json and print the choice."""
    from avfusion.config.jobs import GridSettings
    from avfusion.runs.choose import choose

    settings = options.settings(
        args, GridSettings, lambda study: study.grid_settings(args.corpus, args.fusion)
    )
    result = choose(settings, options.layout(args))
    score = result["score"]
    text = "no score: all failed" if score is None else f"validation {score:.4f}"
    say(f"{args.fusion}: {result['chosen']} of {len(result['points'])} points, {text}")
