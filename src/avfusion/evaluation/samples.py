"""Samples of scored runs for the crossed bootstrap, on the trainings that fusions have in common.

Trainings form a table of encoder fits x fusion seeds with equally many seeds per fit. If runs are
missing, the table is cut: the first seeds of each fit remain.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation import crossed
from avfusion.evaluation.components import Parts
from avfusion.evaluation.crossed import Sample
from avfusion.evaluation.scored import Scored

Grid = tuple[tuple[int, ...], ...]
"""Seeds of each encoder fit, equally many per fit."""


def balanced(seeds: Iterable[int], fit_of: Mapping[int, int]) -> Grid:
    """Return seeds by encoder fit, cut to equally many per fit.

    Parameters
    ----------
    seeds
        Seeds with a score.
    fit_of
        Seed -> number of the encoder fit; 0 for seeds that are not among them.

    Examples
    --------
    >>> balanced([0, 1, 2, 3, 4], {0: 0, 1: 7, 2: 0, 3: 7, 4: 0})
    ((0, 2), (1, 3))
    """
    by_fit: dict[int, list[int]] = {}
    for seed in sorted(seeds):
        by_fit.setdefault(fit_of.get(seed, 0), []).append(seed)
    count = min(map(len, by_fit.values()), default=0)
    return tuple(tuple(members[:count]) for _, members in sorted(by_fit.items()))


class Samples:
    """Samples of the fusions of one corpus; each is computed once per table of trainings.

    Parameters
    ----------
    scored
        Sums of the runs.
    statistics
        Draws and seed.
    """

    def __init__(self, scored: Scored, statistics: StatisticsSettings) -> None:
        self.scored, self.statistics = scored, statistics
        self._weight = scored.draw(statistics) if scored.videos else None
        self._kept: dict[tuple[str, Grid], Sample] = {}

    def grid(self, fusions: Sequence[str]) -> Grid:
        """Return the trainings that all of some fusions have; empty without any."""
        sums = self.scored.sums
        if self._weight is None or any(name not in sums for name in fusions):
            return ()
        return balanced(set.intersection(*(set(sums[name]) for name in fusions)), self.scored.fits)

    def of(self, fusion: str, grid: Grid) -> Sample:
        """Return the sample of a fusion's trainings."""
        if (fusion, grid) not in self._kept:
            assert self._weight is not None
            sums = np.stack([self.scored.stack(fusion, list(seeds)) for seeds in grid])
            pooling, unit = self.scored.rule.pooling, self.scored.unit
            sample = crossed.sample(sums, self._weight, pooling, unit)
            self._kept[fusion, grid] = sample
        return self._kept[fusion, grid]

    def pair(self, first: str, second: str) -> tuple[Sample, Sample] | None:
        """Return the samples of two fusions on common trainings; None without any."""
        grid = self.grid([first, second])
        if not grid or self.scored.units < 2:
            return None
        return self.of(first, grid), self.of(second, grid)


def contrast(samples: Sequence[Sample], weights: Sequence[float] | np.ndarray) -> Sample:
    """Return the weighted sum of samples with the same trainings, people and draws.

    A slope over several fusions, or the mean loss over several levels of corruption, is such a sum.
    If the seeds of its parts are independent, each cell of its table of trainings has the sum of
    their variances, so its variance components follow as for one fusion.
    """
    every = list(zip(weights, samples, strict=True))
    parts = Parts(
        sum(w * sample.parts.score for w, sample in every),
        sum(w * sample.parts.unit for w, sample in every),
    )
    draws = sum(w * sample.draws for w, sample in every)
    return Sample(parts, draws, samples[0].count)
