"""`avf compare`: two finished studies side by side."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from avfusion.commands.messages import say

if TYPE_CHECKING:
    import pandas as pd

HELP = "Compare the scores and settings of two finished studies."
STAGE = 63

SHOWN = ("corpus", "protocol", "fusion", "target", "a", "b", "difference", "decision", "note")


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("first", type=Path, metavar="A", help="results folder of a study")
    sub.add_argument("second", type=Path, metavar="B", help="results folder of the other study")
    sub.add_argument("--out", type=Path, metavar="FILE", help="also write FILE.md or FILE.csv")


def run(args: argparse.Namespace) -> None:
    """Print both tables, and write them to a file."""
    from avfusion.api.saved import read_study
    from avfusion.errors import ConfigError
    from avfusion.io.atomic import write_text
    from avfusion.io.cells import safe_csv
    from avfusion.layout import Layout
    from avfusion.lineage.studies import Side, compare, settings
    from avfusion.lineage.tables import stamp_of

    if args.out is not None and args.out.suffix not in (".md", ".csv"):
        raise ConfigError(f"--out {args.out}: the name must end in .md or .csv.")
    sides = [Side(read_study(Layout(path)), Layout(path)) for path in (args.first, args.second)]
    scores, other = compare(*sides), settings(*sides)
    stamps = [stamp_of(side.layout) for side in sides]
    text = _page(scores, other, args, stamps)
    say(text)
    if args.out is not None:
        stamped = _stamped(scores, stamps)
        write_text(args.out, safe_csv(stamped) if args.out.suffix == ".csv" else f"{text}\n")


def _stamped(scores: "pd.DataFrame", stamps: list[str]) -> "pd.DataFrame":
    """Return the scores with a column per study that is not finished, as provisional tables have.

    >>> import pandas as pd
    >>> list(_stamped(pd.DataFrame({"a": [1]}), ["", "PROVISIONAL, 2 of 3 runs"]))
    ['a', 'provisional_b']
    """
    named = zip(("provisional_a", "provisional_b"), stamps, strict=True)
    return scores.assign(**{name: stamp for name, stamp in named if stamp})


def _page(
    scores: "pd.DataFrame", settings: "pd.DataFrame", args: argparse.Namespace, stamps: list[str]
) -> str:
    """Return both tables in Markdown, and what was counted."""
    counts = scores["decision"].value_counts()
    words = ("same", "better", "worse", "undecided", "not compared")
    counted = ", ".join(f"{counts[word]} {word}" for word in words if word in counts)
    named = zip("AB", (args.first, args.second), stamps, strict=True)
    lines = [f"{side}: {path}{f' ({stamp})' if stamp else ''}" for side, path, stamp in named]
    lines += ["", f"B compared with A: {counted}", ""]
    lines += _table(scores[list(SHOWN)])
    lines += ["", "Settings that differ" if len(settings) else "No setting differs.", ""]
    return "\n".join([*lines, *(_table(settings) if len(settings) else [])]).rstrip()


def _table(table: "pd.DataFrame") -> list[str]:
    from avfusion.report.format import markdown

    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return markdown([str(name) for name in table], rows).rstrip().split("\n")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.3f}"
    return str(value)
