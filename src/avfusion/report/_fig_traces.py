"""Figures of predictions over time: gold and a few fusions on one video, planted spans shaded."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from avfusion.report._fig_read import Caption, Part, order
from avfusion.report.style import INK, PAPER, SOFT, WASH, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SINGLE = ("audio", "video")


def draw_traces(part: Part, videos: int = 3) -> "Iterator[tuple[str, Figure, Caption]]":
    """One figure a video, for the test videos with the most planted spans (then by name)."""
    traces, gold, truth = part.traces(), part.gold(), part.truth()
    if not len(traces) or not len(gold):
        return
    spans = truth["video"].value_counts() if len(truth) else pd.Series(dtype=int)
    chosen = sorted(traces["video"].unique(), key=lambda v: (-spans.get(v, 0), v))[:videos]
    shown = chosen_fusions(part, sorted(traces["fusion"].unique()))
    for video in chosen:
        own = truth[truth["video"] == video] if len(truth) else truth
        lines = traces[traces["video"] == video]
        figure = _draw(part, shown, lines, gold[gold["video"] == video], own)
        yield video, figure, _caption(part, video, shown, own)


def chosen_fusions(part: Part, present: list[str]) -> list[str]:
    """The best fusion first, then single modalities, then the next best, three in all."""
    scores = part.headline("scores")
    ranked = [n for n in (order(scores) if len(scores) else []) if n in present]
    ranked += [n for n in present if n not in ranked]
    joint = [n for n in ranked if n not in SINGLE]
    single = [n for n in ranked if n in SINGLE]
    return list(dict.fromkeys([*joint[:1], *single, *joint]))[:3]


def _draw(
    part: Part, shown: list[str], lines: pd.DataFrame, gold: pd.DataFrame, spans: pd.DataFrame
) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 4.6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for axis, target in zip(axes, ("valence", "arousal"), strict=True):
        _shade(axis, spans, named=target == "valence")
        axis.plot(gold["time_s"] - part.delay_s(target), gold[target], color=INK, linewidth=2.4,
                  label="gold", zorder=2.5)  # fmt: skip
        _lines(axis, part, shown, lines, target)
        axis.set_ylabel(target)
        axis.grid(axis="y")
        axis.margins(x=0.01)
    axes[1].set_xlabel("time in the video, s")
    axes[0].set_xlim(left=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), fontsize=8.5)
    return figure


def _lines(
    axis: "Axes", part: Part, shown: list[str], lines: pd.DataFrame, target: str
) -> None:
    """Mean over seeds of each fusion; the best one's range over seeds as a band."""
    style = looks(part.study["fusions"])
    for rank, name in reversed(list(enumerate(shown))):
        by_time = lines[lines["fusion"] == name].groupby("time_s")[target]
        mean, low, high = by_time.mean(), by_time.min(), by_time.max()
        if rank == 0:
            axis.fill_between(mean.index, low, high, color=style[name].colour, alpha=0.18,
                              linewidth=0)  # fmt: skip
        axis.plot(mean.index, mean, color=style[name].colour, linestyle=style[name].dash,
                  marker=style[name].marker, markevery=(rank * 4, 16), markersize=4.5, label=name,
                  linewidth=1.9 if rank == 0 else 1.2)  # fmt: skip


def _shade(axis: "Axes", spans: pd.DataFrame, named: bool) -> None:
    """Grey ground behind each planted span; its kind and modality written along the top."""
    for row, span in enumerate(spans.sort_values("start_s").itertuples()):
        axis.axvspan(span.start_s, span.end_s, facecolor=WASH, edgecolor=SOFT, linewidth=0.6,
                     linestyle=(0, (2, 2)), zorder=0)  # fmt: skip
        if named:
            middle = (span.start_s + span.end_s) / 2
            words = f"{span.kind} ({span.modality})"
            axis.annotate(words, (middle, 1), (0, 3 + 10 * (row % 2)), ha="center",
                          xycoords=("data", "axes fraction"), textcoords="offset points",
                          fontsize=7.5, color=SOFT, backgroundcolor=PAPER)  # fmt: skip


def _caption(part: Part, video: str, shown: list[str], spans: pd.DataFrame) -> Caption:
    delays = ", ".join(f"{part.delay_s(t):g} s for {t}" for t in ("valence", "arousal"))
    count = len(part.study["seeds"])
    text = (
        f"Predictions for {part.corpus} test video {video} against the gold standard (thick "
        f"line), on the stimulus' time: gold is shifted back by the raters' delay ({delays}). "
        f"Lines: mean over up to {count} training runs; band: range over the runs of {shown[0]}."
    )
    if len(spans):
        text += f" Grey: {len(spans)} spans that were planted when the corpus was generated."
    kinds = ", ".join(
        f"{s.kind} in {s.modality} from {s.start_s:.1f} to {s.end_s:.1f} s"
        for s in spans.itertuples()
    )
    alt = f"Valence and arousal over time: gold and {', '.join(shown)}."
    alt += f" Planted spans: {kinds}." if kinds else " No planted spans."
    return Caption(part.corpus, "traces", f"Predictions over time, {video}", text, alt)
