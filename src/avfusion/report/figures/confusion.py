"""Figure of a run on classes: which class was told for which, a panel a fusion."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avfusion.report.figures.style import INK, PAPER, looks
from avfusion.report.inputs import Caption, CorpusFiles, number, order, read
from avfusion.runs.classes import FILE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST = 4
"""Panels: the best fusions; classes.md has the recalls of all."""


DARK_FROM = 0.55
"""Share from which on a cell's number is written in the colour of the ground."""


def draw_confusion(files: CorpusFiles) -> "tuple[Figure, Caption] | None":
    """Shares of each true class' videos (row) told as each class (column), mean over runs."""
    from matplotlib.figure import Figure

    found = told(files)
    names = [name for name in order(files.headline("scores")) if name in found][:MOST]
    if not names:
        return None
    rows = -(-len(names) // 2)
    columns = min(2, len(names))
    side = 8.2 / 2
    figure = Figure(figsize=(side * columns, (side - 0.25) * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    style = looks(files.study["fusions"])
    for place, axis in enumerate(grid):
        axis.set_visible(place < len(names))
        if place < len(names):
            _panel(axis, found[names[place]], files.names, style[names[place]].colour)
            axis.set_title(names[place])
            axis.set_xlabel("told")
            axis.set_ylabel("true" if place % columns == 0 else "")
    return figure, _caption(files, {name: found[name] for name in names})


def confusion(truth: pd.Series, answer: pd.Series, names: tuple[str, ...]) -> np.ndarray:
    """Shares (K, K): of the videos of class i, how many were told as class j; NaN without any.

    >>> one = pd.Series(["a", "a", "b"]), pd.Series(["a", "b", "b"])
    >>> confusion(*one, ("a", "b")).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    counts = pd.crosstab(truth.to_numpy(), answer.to_numpy()).reindex(names).reindex(columns=names)
    table = counts.fillna(0).to_numpy(float)
    with np.errstate(invalid="ignore"):
        return table / table.sum(axis=1, keepdims=True)


def told(files: CorpusFiles) -> dict[str, np.ndarray]:
    """Fusion -> its shares on the reported partition, the mean over its finished runs."""
    labels = read(files.layout.labels(files.corpus))
    scored = files.seed_scores()
    if not len(labels) or not len(scored):
        return {}
    truth = labels.dropna(subset=["label"]).set_index("video")["label"]
    names, found = files.names, {}
    for fusion, seed in files.runs():
        if not ((scored["fusion"] == fusion) & (scored["seed"] == seed)).any():
            continue
        table = read(files.layout.run(files.corpus, fusion, seed) / FILE)
        table = table[(table["partition"] == files.partition) & table["video"].isin(truth.index)]
        likeliest = table[list(names)].idxmax(axis=1)
        each = confusion(table["video"].map(truth), likeliest, names)
        found.setdefault(fusion, []).append(each)
    return {fusion: np.mean(runs, axis=0) for fusion, runs in found.items()}


def _panel(axis: "Axes", shares: np.ndarray, names: tuple[str, ...], colour: str) -> None:
    """Squares whose strength is the share, and the share in hundredths."""
    from matplotlib.patches import Rectangle

    count = len(names)
    for row, column in np.ndindex(count, count):
        share = shares[row, column]
        if np.isnan(share):
            continue
        box = (column - 0.5, row - 0.5)
        axis.add_patch(Rectangle(box, 1, 1, facecolor=colour, alpha=float(share), linewidth=0))
        if round(100 * share):
            axis.annotate(f"{100 * share:.0f}", (column, row), ha="center", va="center",
                          fontsize=7.5, color=PAPER if share > DARK_FROM else INK)  # fmt: skip
    axis.set_xlim(-0.5, count - 0.5)
    axis.set_ylim(count - 0.5, -0.5)
    axis.set_aspect("equal")
    axis.set_xticks(range(count), names)
    axis.set_yticks(range(count), names)
    axis.tick_params(length=0)


def _caption(files: CorpusFiles, shown: dict[str, np.ndarray]) -> Caption:
    text = (
        f"Of the {files.partition} videos of each class of {files.corpus} (row), the percentage "
        f"that was told as each class (column), the mean over runs. The diagonal holds the "
        f"recalls, whose mean is UA."
    )
    said = []
    for fusion, shares in shown.items():
        wrong = np.where(np.eye(len(shares), dtype=bool), np.nan, shares)
        if np.isfinite(wrong).any():
            row, column = np.unravel_index(np.nanargmax(wrong), wrong.shape)
            most = number(100 * wrong[row, column], 0)
            said += [f"{fusion} tells {most}% of {files.names[row]} as {files.names[column]}"]
    alt = f"Most frequent confusion of each fusion: {'; '.join(said)}."
    return Caption(files.corpus, "confusion", "Classes told for classes", text, alt)
