"""`avf delay`: search how late the raters answer, on the train partition alone."""

import argparse

from avfusion.commands.options import layout, settings, settings_option

HELP = "Search how late the raters answer, from features and ratings of the train partition alone."


STAGE = 35


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("--longest", type=float, default=10.0, help="greatest delay in s (10)")
    sub.add_argument("--step", type=float, default=0.04, help="between delays, in s (0.04)")
    sub.add_argument("--ridge", type=float, default=0.01, help="penalty a clip (0.01)")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    import json

    import numpy as np

    from avfusion.errors import ConfigError
    from avfusion.evaluation.delays import best, search

    if not (args.step > 0 and args.longest >= 0 and args.ridge > 0):
        raise ConfigError("--step and --ridge are above 0, --longest is 0 or more.")

    lay = layout(args)
    own = {**settings(args, lambda study: study.delay_settings()), "ridge": args.ridge}
    grid_s = np.round(np.arange(round(args.longest / args.step) + 1) * args.step, 6)
    found = search(args.corpus, own, lay, grid_s)
    stated = json.loads(lay.card(args.corpus).read_text())["delay_s"]
    for target, rows in found.groupby("target", sort=False):
        top = rows[rows["best"]].iloc[0]
        near = rows.iloc[(rows["delay_s"] - stated.get(target, 0.0)).abs().argmin()]
        print(
            f"{target}: best at {top['delay_s']:g} s, CCC {top['ccc']:.3f}; "
            f"at {near['delay_s']:g} s (corpus.json) {near['ccc']:.3f}"
        )
        if top["delay_s"] == grid_s[-1]:
            print(f"{target}: that is the end of the grid; try a greater --longest")
    said = ", ".join(f"{target}: {delay_s:g}" for target, delay_s in best(found).items())
    print(f"{lay.delays(args.corpus)}: every delay\ndelay_s: {{{said}}}")
