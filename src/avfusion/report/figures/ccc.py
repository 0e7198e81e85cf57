"""Figures of the scores of all fusions, and of their differences to the best one."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from avfusion.config.baseline import REFERENCES
from avfusion.report.compared import against
from avfusion.report.figures.style import INK, PAPER, SOFT, looks, width
from avfusion.report.format import decimals
from avfusion.report.inputs import Caption, CorpusFiles, interval, number, order, printed
from avfusion.report.sentences import absence
from avfusion.runs.files import failure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_ccc(files: CorpusFiles, narrow: bool = False) -> "tuple[Figure, Caption] | None":
    """Draw the score of every fusion with its interval, one panel per target, best at the top."""
    scores = files.headline("scores")
    scored = order(scores)
    if not scored:
        return None
    names = scored + [name for name in files.study.fusions if name not in scored]
    figure, axes = _panels(len(names), len(printed(files.names)), narrow)
    seeds, style = files.seed_scores(), looks(files.study.fusions)
    for axis, (target, words) in zip(axes, printed(files.names).items(), strict=True):
        rows = scores[scores["target"] == target].set_index("fusion")
        digits = decimals(list(rows.loc[scored, "mean"]))
        for y, name in enumerate(names):
            points = _ccc_of(seeds, name, target)
            axis.plot(points, np.full(len(points), y + 0.24), linestyle="", marker="o", alpha=0.45,
                      color=style[name].colour, markersize=3, markeredgewidth=0)  # fmt: skip
            if name in scored:
                _bar(axis, y, rows.loc[name], "mean", style[name], digits=digits[y])
            else:
                axis.annotate(_lost(rows, name), (0.5, y), xycoords=("axes fraction", "data"),
                              ha="center", va="center", color=SOFT, fontsize=8)  # fmt: skip
        axis.set_title(files.word(words))
        axis.set_xlabel(files.metric)
    for axis in axes:
        axis.set_yticks(range(len(names)), names)
    return figure, _ccc_caption(files, scores, scored)


def _lost(rows: pd.DataFrame, name: str) -> str:
    """Return `failed` or `not run`; the caption and the table give the reason."""
    return absence(rows.loc[name, "note"] if name in rows.index else "").partition(":")[0]


def draw_differences(files: CorpusFiles, narrow: bool = False) -> "tuple[Figure, Caption] | None":
    """Draw the best fusion minus every other one, paired by video; filled = significant."""
    rows, scores = files.headline("comparisons"), files.headline("scores")
    names = order(scores)
    if len(names) < 2 or not len(rows):
        return None
    best = next((name for name in names if name not in REFERENCES), names[0])
    others = [name for name in names if name != best]
    figure, axes = _panels(len(others), len(printed(files.names)), narrow)
    style = looks(files.study.fusions)
    significant = []
    for axis, (target, words) in zip(axes, printed(files.names).items(), strict=True):
        axis.axvline(0, color=SOFT, linewidth=1)
        for y, name in enumerate(others):
            row = against([rows], best, name, target)
            if row is not None:
                _bar(axis, y, row, "difference", style[name], hollow=not row["significant"])
                significant += [name] if row["significant"] and target == "mean" else []
        axis.set_title(files.word(words))
        axis.set_xlabel(f"{files.metric} of {best} minus that of the row")
    for axis in axes:
        axis.set_yticks(range(len(others)), others)
    return figure, _difference_caption(files, best, significant, len(others))


def _ccc_of(seeds: pd.DataFrame, name: str, target: str) -> np.ndarray:
    if not len(seeds):
        return np.array([])
    keep = (seeds["fusion"] == name) & (seeds["target"] == target)
    return seeds.loc[keep].sort_values("seed")["ccc"].to_numpy()


def _panels(rows: int, count: int, narrow: bool) -> "tuple[Figure, list[Axes]]":
    """Return panels next to each other, or below each other in a narrow figure."""
    from matplotlib.figure import Figure

    size = (width(narrow), (1.15 + 0.36 * rows) * (count if narrow else 1))
    figure = Figure(figsize=size, layout="constrained")
    shape = (count, 1) if narrow else (1, count)
    axes = list(figure.subplots(*shape, sharex=True, sharey=not narrow, squeeze=False).flat)
    for axis in axes:
        axis.grid(axis="x")
        axis.tick_params(left=False, labelbottom=True)
        axis.spines["left"].set_visible(False)
        axis.set_ylim(rows - 0.45, -0.6)
        axis.margins(x=0.08)
    return figure, axes


def _bar(
    axis: "Axes", y: int, row: Any, key: str, style: Any, hollow: bool = False, digits: int = 3
) -> None:
    """Draw one estimate with its interval and its value above it."""
    axis.plot([row["low"], row["high"]], [y, y], color=style.colour, linewidth=2)
    axis.plot([row[key]], [y], marker=style.marker, color=style.colour, markersize=6,
              markerfacecolor=PAPER if hollow else style.colour, markeredgewidth=1.1)  # fmt: skip
    text = number(row[key], digits, sign=key == "difference")
    axis.annotate(text, (row[key], y), (0, 6), textcoords="offset points", ha="center",
                  fontsize=7.5, color=INK, zorder=4,
                  bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.4})  # fmt: skip


def _ccc_caption(files: CorpusFiles, scores: pd.DataFrame, names: list[str]) -> Caption:
    rows = scores[scores["target"] == "mean"].set_index("fusion")
    top = rows.loc[names[0]]
    scored = [
        f"{name} {number(mean)} {interval(low, high)}"
        for name, mean, low, high in zip(
            names, *(rows.loc[names, key] for key in ("mean", "low", "high")), strict=True
        )
    ]
    videos, missing = int(top["videos"]), int(top["missing"])
    what = "Concordance (CCC) with the gold standard"
    title, by = "Scores by fusion", f"the mean of {files.mean_of}"
    if files.on_classes:
        what, by = "UA (mean recall of the classes)", "UA"
    text = (
        f"{what} on the {files.partition} partition of "
        f"{files.corpus}, protocol “{files.study.headline}”: {videos} videos scored, {missing} "
        f"missing. Large marker: mean over {_runs(rows)} training runs; bar: "
        f"{files.confidence} interval over {top['unit']}s and trainings; "
        f"small points below it: single runs. Sorted by {by}."
        f"{_unfinished(files)}"
    )
    score = files.headline_score[0].upper() + files.headline_score[1:]
    alt = f"{score} with {files.confidence} interval, best first: " + "; ".join(scored) + "."
    return Caption(files.corpus, "ccc", title, text, alt)


def _unfinished(files: CorpusFiles) -> str:
    seeds = files.seed_scores()
    done = set(zip(seeds["fusion"], seeds["seed"], strict=True)) if len(seeds) else set()
    lost: dict[str, list[str]] = {}
    for run in files.runs():
        if run not in done:
            why = failure(files.layout.run(files.corpus, *run))
            lost.setdefault(absence(why).capitalize(), []).append(f"{run[0]} seed {run[1]}")
    return "".join(f" {why}: {', '.join(runs)}." for why, runs in lost.items())


def _runs(rows: pd.DataFrame) -> str:
    """Return the number of runs behind a mean: `3`, or `2 to 3`."""
    counts = sorted({int(n) for n in rows["seeds"] if n})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _difference_caption(
    files: CorpusFiles, best: str, significant: list[str], others: int
) -> Caption:
    alpha = files.study.statistics.alpha
    text = (
        f"{best}, the best in {files.headline_score}, minus every other fusion, both scored on the "
        f"same resampled people ({files.corpus}, {files.partition}, “{files.study.headline}”). "
        f"Right of zero, {best} scores higher. Bar: uncorrected {files.confidence} interval of the "
        f"difference over people and trainings. Filled marker: significant difference (p ≤ "
        f"{alpha:g} after Holm's correction within the family, and an interval without zero); "
        f"hollow marker: no significant difference. Comparisons that were not declared are "
        f"exploratory."
    )
    names = ", ".join(significant) if significant else "none"
    alt = (
        f"{len(significant)} of {others} fusions differ significantly from {best} in "
        f"{files.headline_score}: {names}."
    )
    return Caption(files.corpus, "differences", f"Differences of {best} to the others", text, alt)
