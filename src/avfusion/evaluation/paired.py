"""What claims ask of the paired bootstrap beyond `stats`: equality within a margin, and a trend.

Both use the same draws as every table. Shapes: V videos, S seeds, N draws, K forms in a
row; sums end in (V, 6).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri, stdtr

from avfusion.evaluation import inference
from avfusion.metrics.sums import point, target_scores


@dataclass(frozen=True)
class Effect:
    """A quantity with its interval over videos, two-sided p, and the samples (N,) behind both."""

    value: float
    low: float
    high: float
    p: float
    samples: np.ndarray


@dataclass(frozen=True)
class How:
    """How pooling and resampling are done: the protocol's pooling, and `study.statistics`.

    unit (V,): whose each video is, see `avfusion.evaluation.units`.
    """

    pooling: str
    draws: int
    alpha: float
    seed: int
    unit: np.ndarray | None = field(default=None, compare=False)

    def units(self, sums: np.ndarray) -> int:
        """How many units the videos of sums (..., V, 6) make."""
        return inference.units(sums.shape[-2], self.unit)

    def draw(self, sums: np.ndarray) -> np.ndarray:
        """The resamplings (N, V) of the videos of sums (..., V, 6)."""
        return inference.draw(sums.shape[-2], self.draws, self.seed, self.unit)


def difference(better: np.ndarray, worse: np.ndarray, how: How) -> Effect:
    """Mean CCC of `better` minus that of `worse`, sums (S, K, V, 6) of the same seeds each."""
    weight = how.draw(better)
    gap = (point(better, how.pooling) - point(worse, how.pooling)).mean(axis=0)[-1]
    samples = _means(better, weight, how) - _means(worse, weight, how)  # (N,)
    p = inference.swap_test(better, worse, how.pooling, how.draws, how.seed, how.unit)[-1]
    return _effect(gap, samples, p, how.units(better), how)


def trend(rows: list[np.ndarray], how: How) -> Effect:
    """Least-squares slope of mean CCC over places 1 … K of `rows`, sums (S, K, V, 6) each.

    p: in each draw the K forms of every unit change places at random, all seeds and targets at
    once; p is the share of draws with a slope at least as steep as the real one.
    """
    count, places = how.units(rows[0]), np.arange(len(rows), dtype=float)
    lever = (places - places.mean()) / ((places - places.mean()) ** 2).sum()  # (K,)
    weight = how.draw(rows[0])
    slope = float(lever @ [point(row, how.pooling).mean(axis=0)[-1] for row in rows])
    samples = lever @ np.stack([_means(row, weight, how) for row in rows])
    every = np.concatenate(rows, axis=-2)  # (S, T, K V, 6)
    rng = np.random.default_rng(how.seed)
    order = rng.permuted(np.tile(np.arange(len(rows)), (how.draws, count, 1)), axis=-1)
    order = order if how.unit is None else order[:, how.unit]  # (N, V, K)
    shuffled = np.zeros(how.draws)
    for place, by in enumerate(lever):
        taken = (order[..., place, None] == np.arange(len(rows))).astype(float)  # (N, V, K)
        taken = taken.transpose(0, 2, 1).reshape(how.draws, -1)  # (N, K V)
        shuffled += by * _means(every, taken, how)
    steeper = ~(np.abs(shuffled) < abs(slope) - 1e-12)  # a draw that says nothing counts against
    return _effect(slope, samples, (1 + steeper.sum()) / (1 + how.draws), count, how)


def margin_p(samples: np.ndarray, value: float, units: int, margin: float) -> float:
    """p of the side of ±margin on which a difference `value` fell; samples (N,) of it.

    Within: two one-sided tests that it is not within (Schuirmann, J. Pharmacokin. Biopharm. 1987).
    Beyond: that it is not beyond. Shares of draws are widened for few units as `stats.interval`
    widens its tails, so that p <= alpha within where the interval of level 1 - 2 alpha lies within.

    >>> draws = np.random.default_rng(0).normal(0, 1, 2000)
    >>> [margin_p(size * draws, 0.0, 20, 0.05) < 0.05 for size in (0.01, 0.05)]
    [True, False]
    >>> [margin_p(0.1 + size * draws, 0.1, 20, 0.05) < 0.05 for size in (0.01, 0.05)]
    [True, False]
    """
    if units < 2 or not np.isfinite(samples).all():
        return float("nan")
    if abs(value) < margin:
        return max(_tail(samples >= margin, units), _tail(samples <= -margin, units))
    inward = samples < margin if value > 0 else samples > -margin
    return min(1.0, 2 * _tail(inward, units))


def _tail(wrong: np.ndarray, units: int) -> float:
    """p from the draws (N,) on the wrong side; the inverse of the widening in `stats.interval`."""
    share = min((1 + wrong.sum()) / (1 + len(wrong)), 1 - 1e-9)
    return float(stdtr(units - 1, ndtri(share) * np.sqrt((units - 1) / units)))


def _means(sums: np.ndarray, weight: np.ndarray, how: How) -> np.ndarray:
    """Mean CCC over the targets in each draw, averaged over seeds: (N,)."""
    return target_scores(sums, weight, how.pooling).mean(axis=0)[-1]


def _effect(value: float, samples: np.ndarray, p: float, units: int, how: How) -> Effect:
    low, high = inference.interval(samples, units, how.alpha)
    return Effect(float(value), float(low), float(high), float(p), samples)
