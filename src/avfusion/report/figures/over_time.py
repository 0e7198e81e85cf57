"""Figures of one fusion on one video: its attention and gates above its predictions.

The layout follows Fig. 1 of Praveen et al., "A Joint Cross-Attention Model", arXiv:2203.14779.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avfusion.report.figures.style import INK, PAPER, look, looks
from avfusion.report.figures.traces import SINGLE, draw_tiers, shade
from avfusion.report.inputs import Caption, CorpusFiles
from avfusion.robustness.gates import KINDS, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST = 4
"""Most attention maps in one figure; a fusion with more shows the first ones."""


def draw_over_time(files: CorpusFiles) -> "Iterator[tuple[str, Figure, Caption]]":
    """Yield a figure per fusion with gates or attention, on the video with the most spans."""
    weights, maps, truth = files.gates(), files.attention(), files.truth()
    every = pd.concat([table[["fusion", "video"]] for table in (weights, maps) if len(table)] or
                      [pd.DataFrame(columns=["fusion", "video"])])  # fmt: skip
    if not len(every):
        return
    spans = truth["video"].value_counts() if len(truth) else pd.Series(dtype=int)
    video = min(every["video"].unique(), key=lambda v: (-spans.get(v, 0), v))
    gold = files.gold()
    gold, traces = gold[gold["video"] == video], files.traces()
    planted = truth[truth["video"] == video] if len(truth) else truth
    drawn = set(every["fusion"].unique())
    for fusion in (name for name in files.study.fusions if name in drawn):
        gates, seen, lines = (
            table[(table["fusion"] == fusion) & (table["video"] == video)] if len(table) else table
            for table in (weights, maps, traces)
        )
        shown = list(seen["map"].unique())[:MOST] if len(seen) else []
        seen = seen[seen["map"].isin(shown)] if len(seen) else seen
        gates = gates.dropna(axis=1, how="all")  # of a fusion without gates, nothing is left
        figure = _draw(files, fusion, (gates, seen, lines), gold, planted)
        yield fusion, figure, _caption(files, fusion, video, (gates, seen), planted)


def _draw(
    files: CorpusFiles,
    fusion: str,
    tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    gold: pd.DataFrame,
    spans: pd.DataFrame,
) -> "Figure":
    from matplotlib.figure import Figure

    gates, maps, lines = tables
    spans = spans.sort_values(["modality", "start_s"]) if len(spans) else spans
    rows = len(spans.drop_duplicates(["modality", "kind"])) if len(spans) else 0
    names = list(maps["map"].unique()) if len(maps) else []
    weights, count = [name for name in gates if name.startswith(KINDS)], len(files.names)
    ratios = [*([0.17 * rows] if rows else []), *([0.9] * len(names))]
    ratios += [*([0.55] * len(weights)), *[1.2] * count]
    figure = Figure(figsize=(8.2, 1.2 + sum(ratios)), layout="constrained")
    axes = list(
        figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False).flat
    )
    below = iter(axes[1 if rows else 0 :])
    if rows:
        draw_tiers(axes[0], spans)
    for name in names:
        _map(next(below), maps[maps["map"] == name], name, files.study.windows.clip_s)
    for gate in weights:
        _weight(next(below), gates, gate)
    for axis in axes[(1 if rows else 0) + len(names) :]:
        shade(axis, spans)
    colour = looks(files.study.fusions)[fusion].colour
    for axis, target in zip(below, files.names, strict=True):
        _trace(axis, files, lines, gold, (target, colour))
    axes[-count].legend(loc="upper right", bbox_to_anchor=(1, 1.25), ncols=2, fontsize=8)
    axes[-1].set_xlim(0, lines["time_s"].max())
    axes[-1].set_xlabel("time in the video, s")
    return figure


def _trace(
    axis: "Axes",
    files: CorpusFiles,
    lines: pd.DataFrame,
    gold: pd.DataFrame,
    drawn: tuple[str, str],
) -> None:
    """Draw one target: gold, and the mean and range of the predictions over runs."""
    target, colour = drawn
    by_time = lines.groupby("time_s")[target]
    axis.plot(gold["time_s"] - files.delay_s(target), gold[target], color=INK, linewidth=2.2,
              label="gold")  # fmt: skip
    axis.fill_between(by_time.mean().index, by_time.min(), by_time.max(), color=colour,
                      alpha=0.18, linewidth=0)  # fmt: skip
    axis.plot(by_time.mean().index, by_time.mean(), color=colour, label="prediction")
    axis.set_ylabel(target)
    axis.grid(axis="y")


def _map(axis: "Axes", rows: pd.DataFrame, name: str, clip_s: float) -> None:
    """Draw one attention map: one column per clip, darker where its attention is higher."""
    from matplotlib.colors import LinearSegmentedColormap

    modality = next((word for word in name.split("_") if word in SINGLE), "")
    ground = LinearSegmentedColormap.from_list(
        "map", [PAPER, look(modality).colour if modality else INK]
    )
    for _, window in rows.groupby("window"):
        table = window.pivot_table(index="attended_s", columns="time_s", values="weight")
        across = np.append(table.columns[0] - clip_s, table.columns)
        up = clip_s * np.arange(len(table) + 1)
        axis.pcolormesh(across, up, table.to_numpy(), cmap=ground, vmin=0,
                        vmax=max(rows["weight"].max(), 1e-9))  # fmt: skip
    axis.set_ylabel(f"{name.replace('_', ' ')}\nattended, s", rotation=0, ha="right", va="center",
                    fontsize=8)  # fmt: skip
    axis.tick_params(axis="y", labelsize=7.5)


def _weight(axis: "Axes", weights: pd.DataFrame, gate: str) -> None:
    """Draw one gate: a dot per clip and seed, and their mean over seeds and one second."""
    modality = gate.split("_")[1]
    colour = look(modality).colour if modality in SINGLE else INK
    axis.plot(weights["time_s"], weights[gate], linestyle="", marker=".", markersize=3,
              color=colour, alpha=0.35, markeredgewidth=0)  # fmt: skip
    mean = weights.groupby("time_s")[gate].mean()
    width = max(1, round(1.0 / float(np.diff(mean.index).mean())))
    smooth = mean.rolling(width, center=True, min_periods=1).mean()
    axis.plot(smooth.index, smooth, color=colour, linewidth=1.6)
    axis.set_ylim(-0.05, 1.05)
    axis.set_yticks([0, 0.5, 1], ["0", "", "1"], fontsize=7.5)
    axis.set_ylabel(
        words(gate).replace(", ", "\n"), rotation=0, ha="right", va="center", fontsize=8
    )
    axis.grid(axis="y")


def _caption(
    files: CorpusFiles,
    fusion: str,
    video: str,
    shown: tuple[pd.DataFrame, pd.DataFrame],
    spans: pd.DataFrame,
) -> Caption:
    gates, maps = shown
    drawn = [word for word, table in (("Attention", maps), ("gates", gates)) if len(table)]
    title = " and ".join(drawn).capitalize()
    text = (
        f"{title} of {fusion} on {files.corpus} {files.partition} video {video}, above its "
        f"predictions and gold, at the time of the stimulus."
    )
    if len(maps):
        text += (
            " Maps of the first run: each column is a clip; darker cells are clips of its window "
            "with more attention, in seconds from the start of the window upwards."
        )
    if len(gates):
        text += (
            " Gates: one dot per clip and run; the line is their mean over runs and one second. "
            "The weight is that of the attended features (audio, video) or of video (modality)."
        )
    text += " Predictions: mean and range over runs."
    if len(spans):
        text += f" Bars and grey: {len(spans)} spans planted when the corpus was generated."
    alt = f"{title} of {fusion} over time, above predicted {files.mean_of}."
    return Caption(files.corpus, "gates", f"{title} of {fusion} over time, {video}", text, alt)
