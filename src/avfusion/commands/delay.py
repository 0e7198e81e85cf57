"""`avf delay`: estimate the annotation delay on the training partition."""

import argparse
from typing import TYPE_CHECKING

from avfusion.commands import options
from avfusion.commands.messages import say

if TYPE_CHECKING:
    import pandas as pd

    from avfusion.config.jobs import DelaySettings

HELP = "Estimate the annotation delay from features and ratings of the training partition."
STAGE = 35


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument(
        "--longest", type=float, help="greatest delay in s (a third of the recordings, at most 10)"
    )
    sub.add_argument("--step", type=float, help="spacing of delays in s (0.04)")
    sub.add_argument("--ridge", type=float, help="penalty per clip (0.01)")
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the score of every delay, and print the best one per target."""
    import json

    import numpy as np

    from avfusion.evaluation.delay_limits import longest_s
    from avfusion.evaluation.delays import best, search

    layout, settings = options.layout(args), _settings(args)
    most_s = settings.longest_s
    if most_s is None:
        most_s = longest_s(args.corpus, layout)
    count = int(most_s / settings.step_s + 1e-6) + 1
    delays_s = np.round(np.arange(count) * settings.step_s, 6)
    table = search(args.corpus, settings, layout, delays_s)
    stated = json.loads(layout.card(args.corpus).read_text())["delay_s"]
    for target, rows in table.groupby("target", sort=False):
        _print_target(str(target), rows, stated.get(target, 0.0), delays_s[-1])
    line = ", ".join(f"{target}: {delay_s:g}" for target, delay_s in best(table).items())
    say(f"{layout.delays(args.corpus)}: all delays\ndelay_s: {{{line}}}")


def _settings(args: argparse.Namespace) -> "DelaySettings":
    """Return the settings of the job; arguments that are given replace those of the study."""
    from pydantic import ValidationError

    from avfusion.config.jobs import DelaySettings
    from avfusion.errors import ConfigError

    settings = options.settings(args, DelaySettings, lambda study: study.delay_settings())
    given = {"longest_s": args.longest, "step_s": args.step, "ridge": args.ridge}
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        return settings.updated(**changes)
    except ValidationError:
        raise ConfigError("--step and --ridge must be above 0, --longest 0 or more.") from None


def _print_target(target: str, rows: "pd.DataFrame", stated_s: float, longest_s: float) -> None:
    """Print the best delay of one target, next to the one that corpus.json states."""
    top = rows[rows["best"]].iloc[0]
    near = rows.iloc[(rows["delay_s"] - stated_s).abs().argmin()]
    say(
        f"{target}: best at {top['delay_s']:g} s, CCC {top['ccc']:.3f}; "
        f"at {near['delay_s']:g} s (corpus.json) {near['ccc']:.3f}"
    )
    if top["delay_s"] == longest_s:
        say(f"{target}: this is the longest delay searched; try a greater --longest")
