"""Figure of the fusion gain of the best model next to that of human raters, per emotion."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from avfusion.metrics.sums import MEAN
from avfusion.report.figures.style import INK, PAPER, SOFT, looks
from avfusion.report.format import counted
from avfusion.report.inputs import Caption, CorpusFiles, interval, number
from avfusion.report.tables.human_gain_text import ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


OFFSET = 0.16
"""Distance of a point from the line of its emotion."""


def draw_human_gain(files: CorpusFiles) -> "Iterator[tuple[str, Figure, Caption]]":
    """Yield one figure, of the fusion with the highest UA; none without human votes or scores."""
    table = files.table("human_gain")
    best = ranked(table)[0] if len(table) else None
    if best is None or not np.isfinite(best["model_gain"]):
        return
    fusion = str(best["fusion"])
    rows = table[(table["fusion"] == fusion) & table["emotion"].isin([*files.names, MEAN])]
    records = rows.to_dict("records")
    yield fusion, _draw(files, fusion, records), _caption(files, fusion, records)


def _draw(files: CorpusFiles, fusion: str, rows: list[dict[Any, Any]]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 1.3 + 0.42 * len(rows)), layout="constrained")
    axis = figure.subplots()
    axis.axvline(0, color=SOFT, linewidth=1)
    style = looks(files.study.fusions)[fusion]
    for y, row in enumerate(rows):
        _point(axis, y - OFFSET, row, "human_gain", ("o", INK, PAPER))
        _point(axis, y + OFFSET, row, "model_gain", (style.marker, style.colour, style.colour))
    for name, marker, colour, face in (
        ("raters", "o", INK, PAPER),
        (fusion, style.marker, style.colour, style.colour),
    ):
        axis.plot([], [], marker=marker, color=colour, markerfacecolor=face, label=name)
    axis.legend(loc="upper left", bbox_to_anchor=(0, 1.01), ncols=2, borderaxespad=0)
    axis.grid(axis="x")
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    axis.set_ylim(len(rows) - 0.45, -1.1)
    axis.set_yticks(range(len(rows)), [files.word(row["emotion"]) for row in rows])
    axis.set_xlabel("Score with both modalities minus the better score of one")
    return figure


def _point(axis: "Axes", y: float, row: dict[Any, Any], key: str, look: tuple[str, ...]) -> None:
    marker, colour, face = look
    axis.plot([row[f"{key}_low"], row[f"{key}_high"]], [y, y], color=colour, linewidth=1.6)
    axis.plot([row[key]], [y], marker=marker, color=colour, markerfacecolor=face, markersize=6)


def _caption(files: CorpusFiles, fusion: str, rows: list[dict[Any, Any]]) -> Caption:
    mean = rows[-1]
    text = (
        f"Fusion gain of raters and of {fusion}, the fusion with the highest UA, on the "
        f"{counted(mean['clips'], 'video')} of {counted(mean['actors'], 'actor')} of "
        f"{files.corpus}, {files.partition} partition. Raters: share of responses that name the "
        f"intended emotion. Model: recall, mean over training runs. Bar: {files.confidence} "
        f"interval over actors and trainings. The better modality is chosen once on all videos. "
        f"human_gain.csv has the other fusions and the differences."
    )
    gains = [
        f"{who} {number(mean[key], sign=True)} "
        f"{interval(mean[f'{key}_low'], mean[f'{key}_high'], sign=True)}"
        for who, key in (("raters", "human_gain"), (fusion, "model_gain"))
    ]
    alt = f"Fusion gain, mean over emotions: {'; '.join(gains)}."
    return Caption(files.corpus, "human_gain", f"Fusion gain of raters and {fusion}", text, alt)
