"""Figures of predictions over time: gold and a few fusions on one video."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from avfusion.report.figures.choice import Choice, by_ccc
from avfusion.report.figures.style import INK, PAPER, WASH, look, looks, width
from avfusion.report.inputs import Caption, CorpusFiles, number, order, read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SINGLE = ("audio", "video")


def draw_traces(
    files: CorpusFiles, videos: int, narrow: bool = False
) -> "Iterator[tuple[Figure, Caption]]":
    """Yield a figure each for the best, the median and the worst video of the best fusion.

    There are fewer than `videos` if fewer videos have a CCC.
    """
    traces, gold, truth = files.traces(), files.gold(), files.truth()
    if not len(traces) or not len(gold):
        return
    shown = chosen_fusions(files, sorted(traces["fusion"].unique()))
    for choice in by_ccc(files, shown[0], traces["video"].unique())[:videos]:
        planted = truth[truth["video"] == choice.video] if len(truth) else truth
        lines = traces[traces["video"] == choice.video]
        rated = gold[gold["video"] == choice.video]
        figure = _draw(files, shown, lines, rated, planted, narrow)
        yield figure, _caption(files, choice, shown, planted)


def chosen_fusions(files: CorpusFiles, present: list[str]) -> list[str]:
    """Return three fusions: the best one, single modalities, then the next best."""
    scores = files.headline("scores")
    ranked = [n for n in order(scores) if n in present]
    ranked += [n for n in present if n not in ranked]
    joint = [n for n in ranked if n not in SINGLE]
    single = [n for n in ranked if n in SINGLE]
    return list(dict.fromkeys([*joint[:1], *single, *joint]))[:3]


def _draw(
    files: CorpusFiles,
    shown: list[str],
    lines: pd.DataFrame,
    gold: pd.DataFrame,
    spans: pd.DataFrame,
    narrow: bool,
) -> "Figure":
    from matplotlib.figure import Figure

    spans = spans.sort_values(["modality", "start_s"]) if len(spans) else spans
    tiers = len(spans.drop_duplicates(["modality", "kind"])) if len(spans) else 0
    count = len(files.names)
    size = (width(narrow), 0.5 + 2 * count + 0.17 * tiers)
    figure = Figure(figsize=size, layout="constrained")
    ratios = [*([0.17 * tiers] if tiers else []), *[2] * count]
    grid = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)
    axes = list(grid[:, 0])
    if tiers:
        draw_tiers(axes[0], spans)
    for axis, target in zip(axes[-count:], files.names, strict=True):
        shade(axis, spans)
        if len(gold):
            axis.plot(gold["time_s"] - files.delay_s(target), gold[target], color=INK,
                      linewidth=2.4, label="gold", zorder=2.5)  # fmt: skip
        _lines(axis, files, shown, lines, target)
        axis.set_ylabel(target)
        axis.grid(axis="y")
    for axis in axes[-count:-1]:
        axis.sharey(axes[-1])
    axes[-1].set_ylim(_limits(files, gold, lines))
    axes[-1].set_xlabel("time in the video, s")
    axes[-1].set_xlim(0, lines["time_s"].max())
    handles, labels = axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2 if narrow else len(labels),
                  fontsize=8.5)  # fmt: skip
    return figure


def _limits(files: CorpusFiles, gold: pd.DataFrame, lines: pd.DataFrame) -> tuple[float, float]:
    """Return limits just beyond the values, at most a quarter beyond the rating scale."""
    columns = list(files.names)
    low, high = files.card().get("range", (-1.0, 1.0))
    room, edge = (high - low) / 4, (high - low) / 50
    values = pd.concat([gold[columns], lines[columns]])
    bottom, top = values.min().min(), values.max().max()
    return max(bottom - edge, low - room), min(top + edge, high + room)


def _lines(
    axis: "Axes", files: CorpusFiles, shown: list[str], lines: pd.DataFrame, target: str
) -> None:
    """Draw the mean over seeds of each fusion, and the range over seeds of the best one."""
    style = looks(files.study.fusions)
    for rank, name in reversed(list(enumerate(shown))):
        by_time = lines[lines["fusion"] == name].groupby("time_s")[target]
        mean, low, high = by_time.mean(), by_time.min(), by_time.max()
        if rank == 0:
            axis.fill_between(mean.index, low, high, color=style[name].colour, alpha=0.18,
                              linewidth=0)  # fmt: skip
        axis.plot(mean.index, mean, color=style[name].colour, linestyle=style[name].dash,
                  marker=style[name].marker, markevery=(rank * 4, 16), markersize=4.5, label=name,
                  linewidth=1.9 if rank == 0 else 1.2)  # fmt: skip


def shade(axis: "Axes", spans: pd.DataFrame) -> None:
    """Shade every planted span."""
    for span in spans.itertuples():
        axis.axvspan(span.start_s, span.end_s, facecolor=WASH, linewidth=0, zorder=0)


def draw_tiers(axis: "Axes", spans: pd.DataFrame) -> None:
    """Draw planted spans as annotation tiers: one row per kind, coloured by modality."""
    tiers = list(dict.fromkeys(zip(spans["modality"], spans["kind"], strict=True)))
    for row, (modality, kind) in enumerate(tiers):
        tier = spans[(spans["modality"] == modality) & (spans["kind"] == kind)]
        bars = list(zip(tier["start_s"], tier["end_s"] - tier["start_s"], strict=True))
        colour = look(modality).colour if modality in SINGLE else INK
        axis.broken_barh(bars, (row - 0.3, 0.6), facecolor=colour, edgecolor=PAPER)
    words = [f"{kind} ({modality})" for modality, kind in tiers]
    axis.set_yticks(range(len(tiers)), words, fontsize=7.5)
    axis.set_ylim(len(tiers) - 0.5, -0.5)
    axis.tick_params(left=False, bottom=False)
    axis.spines[["left", "bottom"]].set_visible(False)


def _caption(files: CorpusFiles, choice: Choice, shown: list[str], spans: pd.DataFrame) -> Caption:
    delays = ", ".join(f"{files.delay_s(t):g} s for {t}" for t in files.names)
    text = (
        f"{choice.words(files.partition)} by the CCC of {shown[0]} in the video, "
        f"{number(choice.ccc)} (mean over targets and trainings). Gold standard: thick line, at "
        f"the time of the stimulus, so it is shifted back by the annotation delay ({delays}). "
        f"Other lines: mean over up to {len(files.study.seeds)} trainings; band: range over the "
        f"trainings of {shown[0]}.{_beyond(files)}"
    )
    if len(spans):
        text += f" Bars and grey: {len(spans)} spans planted when the corpus was generated."
    kinds = ", ".join(
        f"{s.kind} in {s.modality} from {s.start_s:.1f} to {s.end_s:.1f} s"
        for s in spans.itertuples()
    )
    alt = f"{files.mean_of.capitalize()} over time: gold and {', '.join(shown)}."
    alt += f" Planted spans: {kinds}." if kinds else " No planted spans."
    title = f"Predictions over time, {choice.place} video ({choice.video})"
    return Caption(files.corpus, "traces", title, text, alt)


def _beyond(files: CorpusFiles) -> str:
    """Return how predictions beyond the rating scale are drawn and scored."""
    headline = files.study.headline
    rules = read_json(files.layout.scores(files.corpus) / "protocols.json")
    clips = any(rule["name"] == headline and rule.get("clip") for rule in rules.values())
    scoring = f"; “{headline}” clips them before scoring" if clips else ""
    return f" Predictions beyond the rating scale are drawn as they are{scoring}."
