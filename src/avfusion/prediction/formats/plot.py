"""Draw predictions over time as a PNG figure."""

import math
import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from avfusion.io.atomic import replacing
from avfusion.prediction.formats.look import (
    DASHES,
    INK,
    PERSONS,
    RULE,
    SETTINGS,
    SOFT,
    clock,
    nth,
    span,
)
from avfusion.prediction.formats.names import as_text
from avfusion.prediction.formats.steps import (
    changes,
    label,
    scale,
    tracks,
    voice,
    with_gaps,
)
from avfusion.prediction.prediction import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LISTED = 6  # doubts with a letter; the page and the JSON file list all
_POINTS = 300  # of a line; with more rows, a point is the mean of several
_WIDTH = 138  # characters of a line of the note


def write_png(prediction: Prediction, path: Path, embed: bool) -> None:
    """Write the figure at 200 dpi: targets with intervals, then voice and gates if there are any.

    In a long clip, lines are means of several rows, and a darker band shows their extremes.
    """
    del embed
    import matplotlib

    settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, **SETTINGS}
    with matplotlib.rc_context(settings):
        figure = _draw(prediction)
        with replacing(path) as half, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # a name in a script without a font: boxes
            figure.savefig(half, format="png", dpi=200, metadata={"Software": None})


def _draw(prediction: Prediction) -> "Figure":
    from matplotlib.figure import Figure

    below = _below(prediction)
    count = len(prediction.targets)
    note = _note(prediction)
    height = 0.75 + 1.75 * count + 1.0 * len(below) + 0.17 * (note.count("\n") + 1)
    figure = Figure(figsize=(8.2, height), layout="constrained")
    ratios = [1.75] * count + [1.0] * len(below)
    axes = list(figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False))
    panels: list[Axes] = [row[0] for row in axes]
    for axis, target in zip(panels, prediction.targets, strict=False):
        _targets(axis, prediction, target.name)
        axis.set_ylim(*_limits(prediction, target.name))
        axis.set_ylabel(f"{as_text(target.name)}\n({scale(target)})")
        if target.low < 0 < target.high:
            axis.axhline(0, color=SOFT, linewidth=0.8, zorder=1)
    for axis, (title, columns) in zip(panels[count:], below.items(), strict=True):
        _shares(axis, prediction, columns)
        axis.set_ylabel(title)
    for axis in panels:
        axis.grid(axis="y")
        _shade(axis, prediction)
    _letters(panels[0], prediction)
    _time_axis(panels[-1], prediction)
    _heads(figure, panels[0], prediction)
    figure.supxlabel(note, fontsize=7.5, color=SOFT, x=0.01, ha="left")
    return figure


def _below(prediction: Prediction) -> dict[str, list[str]]:
    """Return axis label -> columns between 0 and 1 that have a value."""
    table = prediction.table
    gates = [name for name in table.columns if name.startswith("gate_")]
    wanted = {"speech\n(0 to 1)": ["voiced"], "gates\n(0 to 1)": gates}
    kept = {
        title: [name for name in names if name in table.columns and table[name].notna().any()]
        for title, names in wanted.items()
    }
    return {title: names for title, names in kept.items() if names}


def _targets(axis: "Axes", prediction: Prediction, name: str) -> None:
    for track_id, rows in tracks(prediction):
        colour, dash = nth(PERSONS, track_id), nth(DASHES, track_id)
        rows = with_gaps(rows, prediction.step_s)
        drawn = _thinned(rows, [name, f"{name}_low", f"{name}_high"])
        time_s, value = drawn["time_s"], drawn[name]
        low, high = drawn[f"{name}_low"], drawn[f"{name}_high"]
        axis.fill_between(time_s, low, high, color=colour, alpha=0.18, linewidth=0)
        if len(time_s) < len(rows):
            extremes = drawn[f"{name}.min"], drawn[f"{name}.max"]
            axis.fill_between(time_s, *extremes, color=colour, alpha=0.3, linewidth=0)
        axis.plot(time_s, value, color=colour, linewidth=1.4, dashes=dash, label=label(track_id))
        single = _lonely(value)
        around = np.maximum(0, [(value - low)[single], (high - value)[single]])
        axis.errorbar(time_s[single], value[single], yerr=around, fmt="o", markersize=3,
                      color=colour, elinewidth=1)  # fmt: skip
    if prediction.table[name].isna().all():
        axis.annotate("nothing could be predicted", (0.5, 0.5), xycoords="axes fraction",
                      ha="center", va="center", color=SOFT)  # fmt: skip


def _thinned(rows: pd.DataFrame, names: list[str]) -> dict[str, np.ndarray]:
    """Return `time_s` and the columns, of many rows as means of pieces of equal length.

    `<column>.min` and `<column>.max` are the extremes of each piece.
    """
    values = rows[["time_s", *names]].astype(float)
    size = math.ceil(len(values) / _POINTS)
    pieces = values.groupby(np.arange(len(values)) // max(1, size))
    columns = {name: column.to_numpy() for name, column in pieces.mean().items()}
    for end, table in (("min", pieces.min()), ("max", pieces.max())):
        columns.update({f"{name}.{end}": table[name].to_numpy() for name in names})
    return columns


def _lonely(value: np.ndarray) -> np.ndarray:
    """Return which values have no neighbour, so that a line would not show them; (N,) bool."""
    known = np.pad(~np.isnan(value), 1)
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _shares(axis: "Axes", prediction: Prediction, columns: list[str]) -> None:
    """Draw columns between 0 and 1; several columns differ in their dashes, persons in colour."""
    several = columns != ["voiced"]  # the voice is the same for all persons
    for track_id, rows in tracks(prediction) if several else [(None, voice(prediction))]:
        for number, column in enumerate(columns):
            name = column.removeprefix("gate_") if len(columns) > 1 else None
            colour = nth(PERSONS, track_id) if several else INK
            drawn = _thinned(with_gaps(rows, prediction.step_s), [column])
            axis.plot(drawn["time_s"], drawn[column], color=colour, linewidth=1,
                      dashes=nth(DASHES, number),
                      label=name if track_id in (None, 0) else None)  # fmt: skip
    axis.set_ylim(-0.05, 1.05)
    if len(columns) > 1:
        axis.legend(loc="upper right", fontsize=7.5, ncols=len(columns))


def _limits(prediction: Prediction, name: str) -> tuple[float, float]:
    """Return the scale of a target, and at most a quarter of it beyond if intervals reach there."""
    target = next(t for t in prediction.targets if t.name == name)
    columns = prediction.table[[f"{name}_low", f"{name}_high", name]]
    room, edge = (target.high - target.low) / 4, (target.high - target.low) / 50
    bottom, top = (
        np.nanmin([columns.min().min(), target.low]),
        np.nanmax([columns.max().max(), target.high]),
    )
    return max(bottom, target.low - room) - edge, min(top, target.high + room) + edge


def _shade(axis: "Axes", prediction: Prediction) -> None:
    for doubt in prediction.doubts:
        axis.axvspan(doubt.start_s, doubt.end_s, facecolor="#8a8f96", alpha=0.13, linewidth=0,
                     zorder=0.5)  # fmt: skip
        for edge in (doubt.start_s, doubt.end_s):
            axis.axvline(edge, color=RULE, linewidth=0.7, linestyle="dotted", zorder=0.6)
    for at_s in changes(prediction):
        axis.axvline(at_s, color=INK, linewidth=0.7, linestyle="dashed", zorder=0.7)


def _letters(axis: "Axes", prediction: Prediction) -> None:
    """Write a letter above each doubt, which the note explains."""
    for letter, doubt in zip("abcdef", prediction.doubts[:_LISTED], strict=False):
        axis.annotate(letter, (doubt.start_s, 1.0), (2, 2), xycoords=("data", "axes fraction"),
                      textcoords="offset points", fontsize=7.5, color=SOFT, va="bottom",
                      annotation_clip=True)  # fmt: skip


def _note(prediction: Prediction) -> str:
    """Return the lines below the figure: what the band is, and the doubts."""
    parts = [f"Band: interval with {100 * prediction.level:g} % nominal coverage."]
    longest = max((len(rows) for _, rows in tracks(prediction)), default=0)
    if longest > _POINTS:
        piece_s = math.ceil(longest / _POINTS) * prediction.step_s
        parts[0] += f" Line: mean of {piece_s:.3g} s; darker band: lowest and highest prediction."
    if changes(prediction):
        parts[0] += " Dashed: the followed person may change."
    if prediction.doubts:
        parts[0] += " Shaded: do not trust the predictions, because:"
    for letter, doubt in zip("abcdef", prediction.doubts[:_LISTED], strict=False):
        who = "" if doubt.track_id is None else f", {label(doubt.track_id)}"
        times = span(doubt.start_s, doubt.end_s)
        parts.append(f"{letter}  {times}{who}: {as_text(doubt.reason)}")
    more = len(prediction.doubts) - _LISTED
    if more > 0:
        parts.append(f"{more} more: see the JSON file.")
    bundle = prediction.bundle
    names = [str(bundle[key]) for key in ("name", "corpus", "fusion") if bundle.get(key)]
    parts.append(as_text(f"Model: {', '.join(names)}."))
    lines = (textwrap.wrap(part, _WIDTH, subsequent_indent="    ") for part in parts)
    return "\n".join(line for wrapped in lines for line in wrapped)


def _time_axis(axis: "Axes", prediction: Prediction) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    times_s: pd.Series = prediction.table["time_s"]
    first_s, last_s = times_s.min() - prediction.step_s, times_s.max()
    axis.set_xlim(max(0.0, first_s), last_s)
    if last_s - first_s > 60:
        axis.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 1.5, 3, 6, 10]))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda at_s, _: clock(at_s)))
        axis.set_xlabel(
            "time in the clip, h:min:s" if last_s >= 3600 else "time in the clip, min:s"
        )
    else:
        axis.set_xlabel("time in the clip, s")


def _heads(figure: "Figure", axis: "Axes", prediction: Prediction) -> None:
    """Write the name of the clip, and a legend if there are several persons."""
    name = textwrap.shorten(as_text(prediction.clip["name"]), 90, placeholder=" …")
    figure.suptitle(name, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    handles, labels = axis.get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside upper right", ncols=min(4, len(labels)),
                      fontsize=8)  # fmt: skip
