"""Figure of confusion matrices, one panel per fusion."""

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
"""Number of panels, for the best fusions; classes.md has the recalls of all."""
DARK_FROM = 0.55
"""Share above which the number of a cell is written in the background colour."""
ROOM = 50
"""Characters that fit below a panel; longer names of classes would touch each other."""


def draw_confusion(files: CorpusFiles) -> "tuple[Figure, Caption] | None":
    """Draw the share of each true class (row) by predicted class (column), mean over runs."""
    from matplotlib.figure import Figure

    shares = predicted_shares(files)
    names = [name for name in order(files.headline("scores")) if name in shares][:MOST]
    if not names:
        return None
    rows = -(-len(names) // 2)
    columns = min(2, len(names))
    side = 8.2 / 2
    figure = Figure(figsize=(side * columns, (side - 0.25) * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    style = looks(files.study.fusions)
    for place, axis in enumerate(grid):
        axis.set_visible(place < len(names))
        if place < len(names):
            _panel(axis, shares[names[place]], files.names, style[names[place]].colour)
            axis.set_title(names[place])
            axis.set_xlabel("Predicted")
            axis.set_ylabel("True" if place % columns == 0 else "")
    return figure, _caption(files, {name: shares[name] for name in names})


def confusion(truth: pd.Series, answer: pd.Series, names: tuple[str, ...]) -> np.ndarray:
    """Return the shares (K, K) of the videos of class i predicted as class j; NaN without videos.

    Shares of a class add up to less than 1 if some of its videos have no prediction (NaN).

    >>> one = pd.Series(["a", "a", "b"]), pd.Series(["a", "b", "b"])
    >>> confusion(*one, ("a", "b")).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    >>> confusion(pd.Series(["a", "a"]), pd.Series(["a", None]), ("a", "b"))[0].tolist()
    [0.5, 0.0]
    """
    counts = pd.crosstab(truth.to_numpy(), answer.to_numpy()).reindex(names).reindex(columns=names)
    table = counts.fillna(0).to_numpy(float)
    videos = truth.value_counts().reindex(names).fillna(0).to_numpy(float)[:, None]
    with np.errstate(invalid="ignore"):
        return table / videos


def predicted_shares(files: CorpusFiles) -> dict[str, np.ndarray]:
    """Return fusion -> shares (K, K) on the reported partition, mean over its finished runs."""
    labels = read(files.layout.labels(files.corpus))
    scored = files.seed_scores()
    if not len(labels) or not len(scored):
        return {}
    truth = labels.dropna(subset=["label"]).set_index("video")["label"]
    names = files.names
    shares: dict[str, list[np.ndarray]] = {}
    for fusion, seed in files.runs():
        if not ((scored["fusion"] == fusion) & (scored["seed"] == seed)).any():
            continue
        table = read(files.layout.run(files.corpus, fusion, seed) / FILE)
        table = table[(table["partition"] == files.partition) & table["video"].isin(truth.index)]
        certain = table[list(names)].dropna()  # of others, what the fusion reads is absent
        likeliest = certain.idxmax(axis=1).reindex(table.index)
        each = confusion(table["video"].map(truth), likeliest, names)
        shares.setdefault(fusion, []).append(each)
    return {fusion: np.mean(runs, axis=0) for fusion, runs in shares.items()}


def _panel(axis: "Axes", shares: np.ndarray, names: tuple[str, ...], colour: str) -> None:
    """Draw squares whose opacity is the share, with the share in percent."""
    from matplotlib.patches import Rectangle

    count = len(names)
    for row, column in np.ndindex(count, count):
        share = float(shares[row, column])
        if np.isnan(share):
            continue
        box = (column - 0.5, row - 0.5)
        axis.add_patch(Rectangle(box, 1, 1, facecolor=colour, alpha=share, linewidth=0))
        if round(100 * share):
            axis.annotate(f"{100 * share:.0f}", (column, row), ha="center", va="center",
                          fontsize=7.5, color=PAPER if share > DARK_FROM else INK)  # fmt: skip
    axis.set_xlim(-0.5, count - 0.5)
    axis.set_ylim(count - 0.5, -0.5)
    axis.set_aspect("equal")
    axis.set_xticks(range(count), names)
    if count * (max(map(len, names)) + 1) > ROOM:
        for label in axis.get_xticklabels():
            label.set_rotation(45)
            label.set_rotation_mode("anchor")
            label.set_horizontalalignment("right")
    axis.set_yticks(range(count), names)
    axis.tick_params(length=0)


def _caption(files: CorpusFiles, shown: dict[str, np.ndarray]) -> Caption:
    text = (
        f"Percentage of the {files.partition} videos of each true class of {files.corpus} (row) by "
        f"predicted class (column), mean over runs. The diagonal holds the recalls; their mean is "
        f"UA."
    )
    errors = []
    for fusion, shares in shown.items():
        wrong = np.where(np.eye(len(shares), dtype=bool), np.nan, shares)
        if np.isfinite(wrong).any():
            row, column = np.unravel_index(np.nanargmax(wrong), wrong.shape)
            most = number(100 * wrong[row, column], 0)
            errors += [f"{fusion} predicts {files.names[column]} for {most}% of {files.names[row]}"]
    alt = f"Most frequent confusion of each fusion: {'; '.join(errors)}."
    return Caption(files.corpus, "confusion", "Confusion matrix", text, alt)
