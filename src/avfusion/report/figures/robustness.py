"""Figure of corrupted input: the CCC of each target by level, one row per corruption.

The layout follows Fig. 3 of Praveen, Alam: "Inconsistency-Aware Cross-Attention", arXiv:2405.12853.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avfusion.config.corruptions import describe, find
from avfusion.report.figures.style import RULE, looks, width
from avfusion.report.figures.traces import SINGLE
from avfusion.report.inputs import Caption, CorpusFiles, number, order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


NAMED = 2
"""Number of fusions with gates, and of those without, in colour next to single modalities."""


def draw_robust(files: CorpusFiles, narrow: bool = False) -> "tuple[Figure, Caption] | None":
    """Draw the mean over seeds by level with its interval as a band; other fusions in grey."""
    from matplotlib.figure import Figure

    table = files.table("robustness")
    if not len(table):
        return None
    corruptions = [name for name in files.study.robustness if name in set(table["corruption"])]
    named = named_fusions(files, table)
    rows, columns = len(corruptions), len(files.names)
    height = 0.6 + 2.0 * rows * (columns if narrow else 1)
    figure = Figure(figsize=(width(narrow), height), layout="constrained")
    shape = (rows * columns, 1) if narrow else (rows, columns)
    grid = figure.subplots(*shape, sharey="col", squeeze=False).reshape(rows, columns)
    for name, axes in zip(corruptions, grid, strict=True):
        of_name = table[table["corruption"] == name]
        for axis, target in zip(axes, files.names, strict=True):
            _panel(axis, files, of_name[of_name["target"] == target], named)
            _levels(axis, name, of_name.drop_duplicates("place").sort_values("place"))
            axis.set_title(f"{target}: {describe(name)}")
            axis.set_ylabel("CCC" if narrow or axis is axes[0] else "")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3 if narrow else 6, fontsize=8.5)
    return figure, _caption(files, table, corruptions, named)


def named_fusions(files: CorpusFiles, table: pd.DataFrame) -> list[str]:
    """Return single modalities and, on clean input, the best fusions with and without gates.

    A gate that is a control (`gate: random`, …) stays grey.
    """
    first = table["corruption"].iloc[0]
    ranked = order(table[(table["corruption"] == first) & (table["place"] == 0)])
    gates = files.table("gates")
    gated = set(gates["fusion"]) if len(gates) else set()
    learned = {n for n in gated if files.study.fusions[n].get("gate", "learned") == "learned"}
    ranked = [name for name in ranked if name in learned or name not in gated]
    joint = [name for name in ranked if name not in SINGLE]
    open_, shut = ([n for n in joint if (n in gated) == has][:NAMED] for has in (False, True))
    return [name for name in ranked if name in {*open_, *shut, *SINGLE}]


def _panel(axis: "Axes", files: CorpusFiles, rows: pd.DataFrame, named: list[str]) -> None:
    style = looks(files.study.fusions)
    for name in (n for n in rows["fusion"].unique() if n not in named):
        line = rows[rows["fusion"] == name].sort_values("place")
        axis.plot(line["place"], line["mean"], color=RULE, linewidth=1, zorder=1)
    for name in named:
        line, drawn = rows[rows["fusion"] == name].sort_values("place"), style[name]
        if name not in SINGLE:
            axis.fill_between(line["place"], line["low"], line["high"], color=drawn.colour,
                              alpha=0.1, linewidth=0)  # fmt: skip
        axis.plot(line["place"], line["mean"], color=drawn.colour, linestyle=drawn.dash, label=name,
                  marker=drawn.marker, markersize=4.5, zorder=3)  # fmt: skip
    axis.grid(axis="y")


def _levels(axis: "Axes", name: str, rows: pd.DataFrame) -> None:
    """Set ticks at the levels; a label that would touch its neighbour is left out."""
    kind, room, last = find(name)[1], 0.13 * rows["place"].max(), -np.inf
    words = []
    for place, level in zip(rows["place"], rows["level"], strict=True):
        words.append(kind.text(level) if place - last >= room - 1e-9 else "")
        last = place if words[-1] else last
    axis.set_xticks(rows["place"], words)


def _caption(
    files: CorpusFiles, table: pd.DataFrame, corruptions: list[str], named: list[str]
) -> Caption:
    text = (
        f"{files.corpus}, {files.partition} partition, protocol {files.study.headline}: CCC as "
        f"one modality is corrupted at test time, the same draw for every run; mean over seeds, "
        f"band: {files.confidence} interval over {files.unit_word}s. "
        f"Missing input counts as not recorded, and clips that overlap it are masked. Levels are "
        f"shares of time; `absent` in robustness.csv is the share of clips.{_decibels(corruptions)}"
    )
    if set(table["fusion"]) - set(named):
        text += " Grey: the other fusions (robustness.csv has their numbers)."
    mean = table[table["target"] == "mean"].set_index(["corruption", "fusion", "place"])["mean"]
    mean = mean.sort_index()
    values = []
    for name in corruptions:
        ends = [(f, mean[name, f].iloc[[0, -1]]) for f in named]
        values += [f"{name}: {', '.join(f'{f} {number(a)} to {number(b)}' for f, (a, b) in ends)}."]
    alt = "Mean CCC from clean input to the greatest level. " + " ".join(values)
    return Caption(files.corpus, "robust", "Scores on corrupted input", text, alt)


def _decibels(corruptions: list[str]) -> str:
    """Return what decibels refer to, if a corruption has that unit."""
    units, text = {find(name)[1].unit for name in corruptions}, ""
    if "noise" in units:
        text += " Noise in features: 0 dB is as strong as the variation within a video."
    if "db" in units:
        text += (
            " Noise in sound is placed by its share of both amplitudes (root mean squares): clean "
            "input at 0, 0 dB at one half."
        )
    return text
