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
from avfusion.evaluation import crossed, exchanged, inference, significance, threads
from avfusion.evaluation.crossed import Sample
from avfusion.evaluation.samples import Grid, balanced, contrast
from avfusion.metrics.sums import MEAN
from avfusion.robustness.curves import Curves, loss_shares, shares

COLUMNS = (
    *("corpus", "corruption", "target", "fusion", "other", "difference", "low", "high", "p"),
    *("area", "area_low", "area_high"),
)


class CurveSamples:
    """Samples of losses and areas of fusions, each computed once for all pairs.

    Parameters
    ----------
    curves
        Sums of the runs.
    statistics
        Draws and seed.
    """

    def __init__(self, curves: Curves, statistics: StatisticsSettings) -> None:
        self.curves = curves
        count = len(curves.videos)
        self._weight = inference.draw(count, statistics.draws, statistics.seed, curves.unit)
        self._kept: dict[tuple[str, Grid, str], tuple[Sample, Sample]] = {}
        self._clean: dict[tuple[str, Grid], Sample] = {}

    def grid(self, fusions: Sequence[str]) -> Grid:
        """Return the trainings that all of some fusions have."""
        seeds = set.intersection(*(set(self.curves.sums[name]) for name in fusions))
        return balanced(seeds, self.curves.fits)

    def levels(self, fusion: str, grid: Grid, corruption: str) -> list[Sample]:
        """Return the samples of a fusion at each level of a corruption, clean input first."""
        curves = self.curves
        by_fit = [curves.stack(fusion, list(seeds), corruption) for seeds in grid]
        clean, *corrupted = np.stack(by_fit, axis=1)  # (L, E, S, K, V, 6)
        if (fusion, grid) not in self._clean:  # every corruption starts with it
            self._clean[fusion, grid] = self._sample(clean)
        samples = [self._clean[fusion, grid], *threads.each(self._sample, corrupted)]
        places = curves.places(corruption)
        lost, mean = (contrast(samples, of(places)) for of in (loss_shares, shares))
        self._kept[fusion, grid, corruption] = lost, mean
        return samples

    def _sample(self, sums: np.ndarray) -> Sample:
        """Return the sample of sums (E, S, K, V, 6)."""
        return crossed.sample(sums, self._weight, self.curves.rule.pooling, self.curves.unit)

    def of(self, fusion: str, grid: Grid, corruption: str) -> tuple[Sample, Sample]:
        """Return the samples of the loss and of the area of a fusion under a corruption."""
        if (fusion, grid, corruption) not in self._kept:
            self.levels(fusion, grid, corruption)
        return self._kept[fusion, grid, corruption]


def estimates(
    curves: Curves, study: Study, samples: CurveSamples | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimate the score at each level, and the loss over the levels.

    Parameters
    ----------
    curves
        Sums of the runs.
    study
        Its `statistics` are read.
    samples
        Samples of the same curves, if they are computed already.

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
    samples = samples or CurveSamples(curves, study.statistics)
    for name in curves.levels:
        places, given = curves.places(name), curves.levels[name]
        absent = [curves.absent[find(name)[0]][case] for case in curves.cases(name)]
        for fusion in curves.sums:
            grid = samples.grid([fusion])
            levels = samples.levels(fusion, grid, name)
            *each, lost = crossed.scores([*levels, samples.of(fusion, grid, name)[0]], *how)
            spreads = [_spread(level) for level in levels]
            key = {"corpus": curves.corpus, "fusion": fusion, "corruption": name}
            size = {"seeds": sum(map(len, grid)), "videos": len(curves.videos),
                    "units": curves.units}  # fmt: skip
            for t, target in enumerate((*curves.names, MEAN)):
                start = each[0].value[t]
                losses.append({**key, "target": target, "whole": start,
                               "mean": start - lost.value[t], "loss": lost.value[t],
                               "low": lost.low[t], "high": lost.high[t], **size})  # fmt: skip
                for i, one in enumerate(each):
                    points.append({**key, "level": given[i], "place": places[i], "target": target,
                                   "mean": one.value[t], "sd": spreads[i][t],
                                   "low": max(one.low[t], -1.0), "high": min(one.high[t], 1.0),
                                   **size, "absent": absent[i]})  # fmt: skip
    return pd.DataFrame(points), pd.DataFrame(losses)


def comparisons(curves: Curves, study: Study, samples: CurveSamples | None = None) -> pd.DataFrame:
    """Compare the losses, and the areas, of all pairs of fusions.

    Parameters
    ----------
    curves
        Sums of the runs.
    study
        Its `statistics` are read.
    samples
        Samples of the same curves, if they are computed already.

    Returns
    -------
    DataFrame
        A row per pair, corruption and target: loss of `other` minus loss of `fusion` with interval
        and p, and area of `fusion` minus area of `other` with interval. Holm's family is all pairs
        of one corruption and target.
    """
    alpha, seed = study.statistics.alpha, study.statistics.seed
    samples = samples or CurveSamples(curves, study.statistics)
    rows = []
    every = list(itertools.combinations(curves.sums, 2)) if curves.units > 1 else []
    grids = {pair: grid for pair in every if (grid := samples.grid(pair))}
    for name in curves.levels if grids else ():
        both = [[samples.of(fusion, grid, name) for fusion in pair] for pair, grid in grids.items()]
        less = [(other[0], first[0]) for first, other in both]
        gaps = [one.without_draws() for one in crossed.differences(less, alpha, seed)]
        above = crossed.differences([(first[1], other[1]) for first, other in both], alpha, seed)
        p = exchanged.swap_tests(less, gaps, exchanged.LEAST, seed)
        for pair, gap, area, of_pair in zip(grids, gaps, above, p, strict=True):
            values = [gap.value, gap.low, gap.high, of_pair, area.value, area.low, area.high]
            for t, target in enumerate((*curves.names, MEAN)):
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
