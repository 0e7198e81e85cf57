"""Estimates of curves over levels of corruption, and paired differences of loss and area.

Intervals and p are over people and trainings, as in all tables (`avfusion.evaluation.crossed`).
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.corruptions import find
from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation import crossed, exchanged, inference, significance
from avfusion.evaluation.crossed import Sample
from avfusion.evaluation.samples import Grid, balanced, contrast
from avfusion.metrics.sums import MEAN
from avfusion.robustness.curves import Curves, loss_shares, shares

COLUMNS = (
    *("corpus", "corruption", "target", "fusion", "other", "difference", "low", "high", "p"),
    *("area", "area_low", "area_high"),
)


class _Levels:
    """Samples of fusions at each level of one corruption; each is computed once."""

    def __init__(self, curves: Curves, name: str, statistics: StatisticsSettings) -> None:
        self.curves, self.name = curves, name
        count = len(curves.videos)
        self.weight = inference.draw(count, statistics.draws, statistics.seed, curves.unit)
        self._kept: dict[tuple[str, Grid], list[Sample]] = {}

    def grid(self, fusions: Sequence[str]) -> Grid:
        """Return the trainings that all of some fusions have."""
        seeds = set.intersection(*(set(self.curves.sums[name]) for name in fusions))
        return balanced(seeds, self.curves.fits)

    def of(self, fusion: str, grid: Grid) -> list[Sample]:
        """Return the samples of a fusion at each level, clean input first."""
        if (fusion, grid) not in self._kept:
            curves = self.curves
            by_fit = [curves.stack(fusion, list(seeds), self.name) for seeds in grid]
            sums = np.stack(by_fit, axis=1)  # (L, E, S, K, V, 6)
            self._kept[fusion, grid] = [
                crossed.sample(one, self.weight, curves.rule.pooling, curves.unit) for one in sums
            ]
        return self._kept[fusion, grid]


def estimates(curves: Curves, study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimate the score at each level, and the loss over the levels.

    Parameters
    ----------
    curves
        Sums of the runs.
    study
        Its `statistics` are read.

    Returns
    -------
    points : DataFrame
        A row per fusion, corruption, level and target.
    losses : DataFrame
        A row per fusion, corruption and target: loss, and mean over the levels.
    """
    points: list[dict[str, Any]] = []
    losses: list[dict[str, Any]] = []
    how = study.statistics.alpha, study.statistics.seed
    for name in curves.levels:
        levels = _Levels(curves, name, study.statistics)
        for fusion in curves.sums:
            grid = levels.grid([fusion])
            samples = levels.of(fusion, grid)
            each = [crossed.score(sample, *how) for sample in samples]
            lost = crossed.score(contrast(samples, loss_shares(curves.places(name))), *how)
            key = {"corpus": curves.corpus, "fusion": fusion, "corruption": name}
            size = {"seeds": sum(map(len, grid)), "videos": len(curves.videos),
                    "units": curves.units}  # fmt: skip
            for t, target in enumerate((*curves.names, MEAN)):
                start = each[0].value[t]
                losses.append({**key, "target": target, "whole": start,
                               "mean": start - lost.value[t], "loss": lost.value[t],
                               "low": lost.low[t], "high": lost.high[t], **size})  # fmt: skip
                for i, case in enumerate(curves.cases(name)):
                    points.append({**key, "level": curves.levels[name][i],
                                   "place": curves.places(name)[i], "target": target,
                                   "mean": each[i].value[t], "sd": _spread(samples[i])[t],
                                   "low": max(each[i].low[t], -1.0),
                                   "high": min(each[i].high[t], 1.0), **size,
                                   "absent": curves.absent[find(name)[0]][case]})  # fmt: skip
    return pd.DataFrame(points), pd.DataFrame(losses)


def comparisons(curves: Curves, study: Study) -> pd.DataFrame:
    """Compare the losses, and the areas, of all pairs of fusions.

    Parameters
    ----------
    curves
        Sums of the runs.
    study
        Its `statistics` are read.

    Returns
    -------
    DataFrame
        A row per pair, corruption and target: loss of `other` minus loss of `fusion` with interval
        and p, and area of `fusion` minus area of `other` with interval. Holm's family is all pairs
        of one corruption and target.
    """
    alpha, seed = study.statistics.alpha, study.statistics.seed
    rows = []
    for name in curves.levels:
        levels, places = _Levels(curves, name, study.statistics), curves.places(name)
        for pair in itertools.combinations(curves.sums, 2) if curves.units > 1 else ():
            grid = levels.grid(pair)
            if not grid:
                continue
            first, other = (levels.of(fusion, grid) for fusion in pair)
            less, more = (contrast(one, loss_shares(places)) for one in (other, first))
            gap = crossed.difference(less, more, alpha, seed)
            above = crossed.difference(
                contrast(first, shares(places)), contrast(other, shares(places)), alpha, seed
            )
            p = exchanged.swap_test(less, more, gap, exchanged.LEAST, seed)
            for t, target in enumerate((*curves.names, MEAN)):
                values = [gap.value, gap.low, gap.high, p, above.value, above.low, above.high]
                row = [curves.corpus, name, target, *pair, *(float(x[t]) for x in values)]
                rows.append(dict(zip(COLUMNS, row, strict=True)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    family = table.groupby(["corruption", "target"])["p"]
    table["p_holm"] = family.transform(lambda p: significance.holm(p.to_numpy())) if rows else []
    results = zip(table["low"], table["high"], table["p_holm"], strict=True)
    table["significant"] = [significance.significant(*row, alpha) for row in results]
    return table


def _spread(sample: Sample) -> np.ndarray:
    """Return the standard deviation over trainings, (K + 1,); NaN with one."""
    scores = sample.parts.score.reshape(-1, sample.parts.score.shape[-1])
    return scores.std(axis=0, ddof=1) if len(scores) > 1 else np.full(scores.shape[1], np.nan)
