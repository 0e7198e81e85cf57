"""Figure of corrupted input: valence and arousal CCC by level, a row a corruption.

The form of Fig. 3 of Praveen, Alam: "Inconsistency-Aware Cross-Attention", arXiv:2405.12853.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avfusion.corrupt import find
from avfusion.report._fig_read import Caption, CorpusFiles, number, order
from avfusion.report._fig_traces import SINGLE
from avfusion.report.robust_table import describe, level_text
from avfusion.report.style import RULE, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 2
"""How many fusions with gates, and how many without, are drawn in colour beside the single ones."""


def draw_robust(files: CorpusFiles) -> "tuple[Figure, Caption] | None":
    """Mean over seeds by level, the interval over videos as a band; fusions not named in grey."""
    from matplotlib.figure import Figure

    table = files.table("robustness")
    if not len(table):
        return None
    corruptions = [name for name in files.study["robustness"] if name in set(table["corruption"])]
    named = named_fusions(files, table)
    figure = Figure(figsize=(8.2, 0.6 + 2.0 * len(corruptions)), layout="constrained")
    grid = figure.subplots(len(corruptions), 2, sharey="col", squeeze=False)
    for name, axes in zip(corruptions, grid, strict=True):
        rows = table[table["corruption"] == name]
        for axis, target in zip(axes, ("valence", "arousal"), strict=True):
            _panel(axis, files, rows[rows["target"] == target], named)
            _levels(axis, name, sorted(rows["level"].unique()))
            axis.set_title(f"{target}: {describe(name)}")
        axes[0].set_ylabel("CCC")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=6, fontsize=8.5)
    return figure, _caption(files, table, corruptions, named)


def named_fusions(files: CorpusFiles, table: pd.DataFrame) -> list[str]:
    """Single modalities, and the best on whole input of the fusions with and without gates.

    A gate that is a control (`gate: random`, …) stays grey.
    """
    first = table["corruption"].iloc[0]
    ranked = order(table[(table["corruption"] == first) & (table["level"] == 0)])
    gates = files.table("gates")
    gated = set(gates["fusion"]) if len(gates) else set()
    learned = {n for n in gated if files.study["fusions"][n].get("gate", "learned") == "learned"}
    ranked = [name for name in ranked if name in learned or name not in gated]
    joint = [name for name in ranked if name not in SINGLE]
    open_, shut = ([n for n in joint if (n in gated) == has][:NAMED] for has in (False, True))
    return [name for name in ranked if name in {*open_, *shut, *SINGLE}]


def _panel(axis: "Axes", files: CorpusFiles, rows: pd.DataFrame, named: list[str]) -> None:
    style = looks(files.study["fusions"])
    for name in (n for n in rows["fusion"].unique() if n not in named):
        own = rows[rows["fusion"] == name].sort_values("level")
        axis.plot(own["level"], own["mean"], color=RULE, linewidth=1, zorder=1)
    for name in named:
        own, mine = rows[rows["fusion"] == name].sort_values("level"), style[name]
        if name not in SINGLE:
            axis.fill_between(own["level"], own["low"], own["high"], color=mine.colour, alpha=0.1,
                              linewidth=0)  # fmt: skip
        axis.plot(own["level"], own["mean"], color=mine.colour, linestyle=mine.dash, label=name,
                  marker=mine.marker, markersize=4.5, zorder=3)  # fmt: skip
    axis.grid(axis="y")


def _levels(axis: "Axes", name: str, levels: list[float]) -> None:
    """Ticks at the levels; one that would touch its neighbour's text keeps its tick alone."""
    kind, room, last = find(name)[1], 0.13 * max(levels), -np.inf
    words = []
    for level in levels:
        words.append(level_text(kind, level) if level - last >= room - 1e-9 else "")
        last = level if words[-1] else last
    axis.set_xticks(levels, words)


def _caption(
    files: CorpusFiles, table: pd.DataFrame, corruptions: list[str], named: list[str]
) -> Caption:
    text = (
        f"{files.corpus}, {files.partition} partition, protocol {files.study['headline']}: CCC as "
        f"the features of one modality are corrupted at test time, the same draw for every run; "
        f"mean over seeds, band: {files.confidence} interval over videos. Absent clips are masked "
        f"as an absent voice or face is. 0 dB: as much noise as the feature varies within a video."
    )
    if set(table["fusion"]) - set(named):
        text += " Grey: the other fusions (robustness.csv has their numbers)."
    mean = table[table["target"] == "mean"].set_index(["corruption", "fusion", "level"])["mean"]
    mean = mean.sort_index()
    said = []
    for name in corruptions:
        ends = [(f, mean[name, f].iloc[[0, -1]]) for f in named]
        said += [f"{name}: {', '.join(f'{f} {number(a)} to {number(b)}' for f, (a, b) in ends)}."]
    alt = "Mean CCC from whole input to the greatest level. " + " ".join(said)
    return Caption(files.corpus, "robust", "Corrupted input", text, alt)
