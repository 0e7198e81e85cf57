"""Figures of gates: their weight over time in one video, and whether it tells planted spans."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from avfusion.gates import KINDS, words
from avfusion.report._fig_read import Caption, CorpusFiles, interval, number
from avfusion.report._fig_traces import SINGLE, draw_tiers, shade
from avfusion.report.style import INK, SOFT, look, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KIND_MARKERS = "sDv^<>P"


def draw_gate_auroc(files: CorpusFiles) -> "tuple[Figure, Caption] | None":
    """AUROC of every gate, a panel a modality of spans: all kinds with interval, then each kind."""
    from matplotlib.figure import Figure

    table = files.table("gates").dropna(subset=["auroc"]) if len(files.table("gates")) else ()
    if not len(table):
        return None
    gates = list(dict.fromkeys(zip(table["fusion"], table["gate"], strict=True)))
    modalities = sorted(table["modality"].unique())
    figure = Figure(figsize=(8.2, 1.5 + 0.36 * len(gates)), layout="constrained")
    axes = figure.subplots(1, len(modalities), sharex=True, sharey=True, squeeze=False)[0]
    pairs = table.loc[table["kind"] != "any", ["modality", "kind"]].drop_duplicates()
    markers = dict(zip(pairs.sort_values("modality").itertuples(index=False, name=None),
                       itertools.cycle(KIND_MARKERS), strict=False))  # fmt: skip
    for axis, modality in zip(axes, modalities, strict=True):
        own = table[table["modality"] == modality]
        _auroc_panel(
            axis, files, own, gates, {k: m for (a, k), m in markers.items() if a == modality}
        )
        axis.set_title(f"spans in {modality}")
        axis.set_xlabel("AUROC of the gate's weight")
    handles, labels = _marks(markers)
    if handles:
        figure.legend(handles, labels, loc="outside lower right", ncols=6, fontsize=8)
    axes[0].set_yticks(range(len(gates)), [f"{f}: {words(g)}" for f, g in gates])
    axes[0].set_ylim(len(gates) - 0.4, -0.6)
    return figure, _auroc_caption(files, table)


def _marks(markers: dict[tuple[str, str], str]) -> tuple[list[Any], list[str]]:
    """Legend of the kinds of spans."""
    from matplotlib.lines import Line2D

    look_of = {"color": INK, "linestyle": "", "markersize": 4, "markerfacecolor": "none"}
    handles = [Line2D([], [], marker=marker, **look_of) for marker in markers.values()]
    return handles, [f"{kind} ({modality})" for modality, kind in markers]


def _auroc_panel(
    axis: "Axes",
    files: CorpusFiles,
    rows: pd.DataFrame,
    gates: list[tuple[str, str]],
    markers: dict[str, str],
) -> None:
    style = looks(files.study["fusions"])
    axis.axvline(0.5, color=SOFT, linewidth=1)
    for y, (fusion, gate) in enumerate(gates):
        own = rows[(rows["fusion"] == fusion) & (rows["gate"] == gate)].set_index("kind")
        mine = style[fusion]
        if "any" in own.index:
            row = own.loc["any"]
            axis.plot([row["low"], row["high"]], [y, y], color=mine.colour, linewidth=2)
            axis.plot([row["auroc"]], [y], color=mine.colour, marker=mine.marker, markersize=6)
        for kind, marker in markers.items():
            if kind in own.index:
                axis.plot([own.loc[kind, "auroc"]], [y + 0.3], marker=marker, markersize=4,
                          markerfacecolor="none", color=mine.colour)  # fmt: skip
    axis.grid(axis="x")
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)


def _auroc_caption(files: CorpusFiles, table: pd.DataFrame) -> Caption:
    text = (
        f"{files.corpus}, {files.partition} partition: the chance that a gate's weight is larger "
        f"in a clip of a planted span than in a clean clip. 0.5: the gate does not tell; either "
        f"side of it is a response. Filled: all spans of the modality, bar: {files.confidence} "
        f"interval over videos; hollow: each kind of span. A gate's weight is that of the attended "
        f"features (audio, video) or of video (modality)."
    )
    rows = table[table["kind"] == "any"]
    said = [
        f"{r.fusion} {words(r.gate)} in {r.modality} spans {number(r.auroc)} "
        f"{interval(r.low, r.high)}"
        for r in rows.itertuples()
    ]
    return Caption(files.corpus, "gates", "Gates in planted spans", text, "; ".join(said) + ".")


def draw_gates(files: CorpusFiles) -> "Iterator[tuple[str, Figure, Caption]]":
    """One figure a fusion with gates: their weights above its predictions, on one video."""
    weights, truth = files.gates(), files.truth()
    if not len(weights):
        return
    spans = truth["video"].value_counts() if len(truth) else pd.Series(dtype=int)
    video = min(weights["video"].unique(), key=lambda v: (-spans.get(v, 0), v))
    traces, gold = files.traces(), files.gold()
    for fusion in dict.fromkeys(weights["fusion"]):
        own = weights[(weights["fusion"] == fusion) & (weights["video"] == video)]
        lines = traces[(traces["fusion"] == fusion) & (traces["video"] == video)]
        planted = truth[truth["video"] == video] if len(truth) else truth
        figure = _over_time(files, own.dropna(axis=1), lines, gold[gold["video"] == video], planted)
        yield fusion, figure, _time_caption(files, fusion, video, planted)


def _over_time(
    files: CorpusFiles,
    weights: pd.DataFrame,
    lines: pd.DataFrame,
    gold: pd.DataFrame,
    spans: pd.DataFrame,
) -> "Figure":
    from matplotlib.figure import Figure

    spans = spans.sort_values(["modality", "start_s"]) if len(spans) else spans
    rows = len(spans.drop_duplicates(["modality", "kind"])) if len(spans) else 0
    gates, count = [name for name in weights if name.startswith(KINDS)], len(files.names)
    ratios = [*([0.17 * rows] if rows else []), *([0.55] * len(gates)), *[1.2] * count]
    figure = Figure(figsize=(8.2, 1.2 + sum(ratios)), layout="constrained")
    axes = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    if rows:
        draw_tiers(axes[0], spans)
    for axis in axes[1 if rows else 0 :]:
        shade(axis, spans)
    for axis, gate in zip(axes[-count - len(gates) : -count], gates, strict=True):
        _weight(axis, weights, gate)
    for axis, target in zip(axes[-count:], files.names, strict=True):
        by_time = lines.groupby("time_s")[target]
        colour = looks(files.study["fusions"])[weights["fusion"].iloc[0]].colour
        axis.plot(gold["time_s"] - files.delay_s(target), gold[target], color=INK, linewidth=2.2,
                  label="gold")  # fmt: skip
        axis.fill_between(by_time.mean().index, by_time.min(), by_time.max(), color=colour,
                          alpha=0.18, linewidth=0)  # fmt: skip
        axis.plot(by_time.mean().index, by_time.mean(), color=colour, label="prediction")
        axis.set_ylabel(target)
        axis.grid(axis="y")
    axes[-count].legend(loc="upper right", bbox_to_anchor=(1, 1.25), ncols=2, fontsize=8)
    axes[-1].set_xlim(0, weights["time_s"].max())
    axes[-1].set_xlabel("time in the video, s")
    return figure


def _weight(axis: "Axes", weights: pd.DataFrame, gate: str) -> None:
    """One gate: a dot a clip and seed, and their mean over seeds and a second, by modality."""
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


def _time_caption(files: CorpusFiles, fusion: str, video: str, spans: pd.DataFrame) -> Caption:
    text = (
        f"Gates of {fusion} on {files.corpus} {files.partition} video {video}: their weight clip "
        f"by clip, and the predictions below, against gold on the stimulus' time. Dots: "
        f"every training run; line above: their mean over runs and one second; below: mean and "
        f"range over runs. Weight of the attended features (audio, video) or of video (modality)."
    )
    if len(spans):
        text += f" Bars and grey: {len(spans)} spans planted when the corpus was generated."
    alt = f"Weights of the gates of {fusion} over time, above predicted {files.mean_of}."
    return Caption(files.corpus, "gates", f"Gates of {fusion} over time, {video}", text, alt)
