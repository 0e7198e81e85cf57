"""Figures of the scores of all fusions, and of their differences to the best one."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from avfusion.config.baseline import REFERENCES
from avfusion.report.figures.style import INK, PAPER, SOFT, looks
from avfusion.report.inputs import Caption, CorpusFiles, interval, number, order, printed
from avfusion.report.sentences import absence
from avfusion.runs.files import failure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_ccc(files: CorpusFiles) -> "tuple[Figure, Caption] | None":
    """Draw the score of every fusion with its interval, one panel per target, best at the top."""
    scores = files.headline("scores")
    scored = order(scores)
    if not scored:
        return None
    names = scored + [name for name in files.study.fusions if name not in scored]
    figure, axes = _panels(len(names), len(printed(files.names)))
    seeds, style = files.seed_scores(), looks(files.study.fusions)
    for axis, (target, words) in zip(axes, printed(files.names).items(), strict=True):
        rows = scores[scores["target"] == target].set_index("fusion")
        for y, name in enumerate(names):
            points = _ccc_of(seeds, name, target)
            axis.plot(points, np.full(len(points), y + 0.24), linestyle="", marker="o", alpha=0.45,
                      color=style[name].colour, markersize=3, markeredgewidth=0)  # fmt: skip
            if name in scored:
                _bar(axis, y, rows.loc[name], "mean", style[name])
            else:
                axis.annotate(_lost(rows, name), (0.5, y), xycoords=("axes fraction", "data"),
                              ha="center", va="center", color=SOFT, fontsize=8)  # fmt: skip
        axis.set_title(files.word(words))
        axis.set_xlabel(files.metric)
    axes[0].set_yticks(range(len(names)), names)
    return figure, _ccc_caption(files, scores, scored)


def _lost(rows: pd.DataFrame, name: str) -> str:
    """Return `failed` or `not run`; the caption and the table give the reason."""
    return absence(rows.loc[name, "note"] if name in rows.index else "").partition(":")[0]


def draw_differences(files: CorpusFiles) -> "tuple[Figure, Caption] | None":
    """Draw the difference of every fusion to the best, paired by video; filled = significant."""
    pairs, scores = files.pairs(), files.headline("scores")
    names = order(scores)
    if len(names) < 2 or not len(pairs):
        return None
    best = next((name for name in names if name not in REFERENCES), names[0])
    others = [name for name in names if name != best]
    figure, axes = _panels(len(others), len(printed(files.names)))
    style = looks(files.study.fusions)
    significant = []
    for axis, (target, words) in zip(axes, printed(files.names).items(), strict=True):
        axis.axvline(0, color=SOFT, linewidth=1)
        for y, name in enumerate(others):
            row = against(pairs, name, best, target)
            if row is not None and np.isfinite(row["difference"]):
                _bar(axis, y, row, "difference", style[name], hollow=not row["significant"])
                significant += [name] if row["significant"] and target == "mean" else []
        axis.set_title(files.word(words))
        axis.set_xlabel(f"{files.metric} minus that of {best}")
    axes[0].set_yticks(range(len(others)), others)
    return figure, _difference_caption(files, best, significant, len(others))


def against(pairs: pd.DataFrame, name: str, best: str, target: str) -> dict[str, Any] | None:
    """Return the comparison of `name` with `best`, with the sign of `name` minus `best`."""
    rows = pairs[pairs["target"] == target]
    for sign, first, second in ((1, name, best), (-1, best, name)):
        match = rows[(rows["fusion"] == first) & (rows["other"] == second)]
        if len(match):
            row = match.iloc[0].to_dict()
            ends = sorted((sign * row["low"], sign * row["high"]))
            return {**row, "difference": sign * row["difference"], "low": ends[0],
                    "high": ends[1]}  # fmt: skip
    return None


def _ccc_of(seeds: pd.DataFrame, name: str, target: str) -> np.ndarray:
    if not len(seeds):
        return np.array([])
    keep = (seeds["fusion"] == name) & (seeds["target"] == target)
    return seeds.loc[keep].sort_values("seed")["ccc"].to_numpy()


def _panels(rows: int, columns: int) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 1.15 + 0.36 * rows), layout="constrained")
    axes = list(figure.subplots(1, columns, sharex=True, sharey=True, squeeze=False)[0])
    for axis in axes:
        axis.grid(axis="x")
        axis.tick_params(left=False)
        axis.spines["left"].set_visible(False)
        axis.set_ylim(rows - 0.45, -0.6)
        axis.margins(x=0.08)
    return figure, axes


def _bar(axis: "Axes", y: int, row: Any, key: str, style: Any, hollow: bool = False) -> None:
    """Draw one estimate with its interval and its value above it."""
    axis.plot([row["low"], row["high"]], [y, y], color=style.colour, linewidth=2)
    axis.plot([row[key]], [y], marker=style.marker, color=style.colour, markersize=6,
              markerfacecolor=PAPER if hollow else style.colour, markeredgewidth=1.1)  # fmt: skip
    text = number(row[key], sign=key == "difference")
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
        f"Every fusion minus {best}, the best in {files.headline_score}, both scored on the same "
        f"resampled people ({files.corpus}, {files.partition}, “{files.study.headline}”). Bar: "
        f"uncorrected {files.confidence} interval of the difference over people and trainings. "
        f"Filled marker: significant difference (p ≤ {alpha:g} after Holm's correction over all "
        f"pairs, and an interval without zero); hollow marker: no significant difference. Such "
        f"comparisons with the best are exploratory."
    )
    names = ", ".join(significant) if significant else "none"
    alt = (
        f"{len(significant)} of {others} fusions differ significantly from {best} in "
        f"{files.headline_score}: {names}."
    )
    return Caption(files.corpus, "differences", f"Differences to {best}", text, alt)
