"""Paired tests for claims: equivalence within a margin, and a trend over several fusions.

They use the same draws as all tables. Shapes: V videos, U units, S seeds, N draws, T targets, K
fusions in a row; sums end in (V, 6).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri, stdtr

from avfusion.evaluation import inference
from avfusion.metrics.sums import point, target_scores


@dataclass(frozen=True)
class Effect:
    """A quantity with its interval over units, two-sided p, and its bootstrap samples (N,)."""

    value: float
    low: float
    high: float
    p: float
    samples: np.ndarray


@dataclass(frozen=True)
class Resampling:
    """How scores are pooled and videos are resampled.

    Parameters
    ----------
    pooling
        Pooling of the protocol.
    draws, alpha, seed
        As in `StatisticsSettings`.
    unit
        Number of the unit of each video, (V,), or None; see `avfusion.evaluation.units`.
    """

    pooling: str
    draws: int
    alpha: float
    seed: int
    unit: np.ndarray | None = field(default=None, compare=False)

    def units(self, sums: np.ndarray) -> int:
        """Return the number of units of the videos of sums (..., V, 6)."""
        return inference.units(sums.shape[-2], self.unit)

    def draw(self, sums: np.ndarray) -> np.ndarray:
        """Return the bootstrap weights (N, V) of the videos of sums (..., V, 6)."""
        return inference.draw(sums.shape[-2], self.draws, self.seed, self.unit)


def difference(better: np.ndarray, worse: np.ndarray, resampling: Resampling) -> Effect:
    """Compare the mean CCC of two fusions.

    Parameters
    ----------
    better, worse
        Sums of the fusions with the same seeds, (S, T, V, 6).
    resampling
        Pooling, draws and units.

    Returns
    -------
    Effect
        Mean CCC of `better` minus that of `worse`, averaged over seeds.
    """
    weight = resampling.draw(better)
    pooling, unit = resampling.pooling, resampling.unit
    gap = (point(better, pooling) - point(worse, pooling)).mean(axis=0)[-1]
    samples = _means(better, weight, pooling) - _means(worse, weight, pooling)  # (N,)
    p = inference.swap_test(better, worse, pooling, resampling.draws, resampling.seed, unit)[-1]
    return _effect(gap, samples, p, resampling.units(better), resampling)


def trend(rows: list[np.ndarray], resampling: Resampling) -> Effect:
    """Fit a least-squares slope of mean CCC over the places 1 … K of `rows`.

    For p, in each draw the K fusions of every unit change places at random, with all seeds and
    targets; p is the share of draws with a slope at least as steep as the observed one.

    Parameters
    ----------
    rows
        Sums of K fusions with the same seeds, (S, T, V, 6) each.
    resampling
        Pooling, draws and units.

    Returns
    -------
    Effect
        CCC per step.
    """
    count, places = resampling.units(rows[0]), np.arange(len(rows), dtype=float)
    pooling, draws = resampling.pooling, resampling.draws
    lever = (places - places.mean()) / ((places - places.mean()) ** 2).sum()  # (K,)
    weight = resampling.draw(rows[0])
    slope = float(lever @ [point(row, pooling).mean(axis=0)[-1] for row in rows])
    samples = lever @ np.stack([_means(row, weight, pooling) for row in rows])
    every = np.concatenate(rows, axis=-2)  # (S, T, K V, 6)
    rng = np.random.default_rng(resampling.seed)
    order = rng.permuted(np.tile(np.arange(len(rows)), (draws, count, 1)), axis=-1)
    order = order if resampling.unit is None else order[:, resampling.unit]  # (N, V, K)
    shuffled = np.zeros(draws)
    for place, by in enumerate(lever):
        taken = (order[..., place, None] == np.arange(len(rows))).astype(float)  # (N, V, K)
        taken = taken.transpose(0, 2, 1).reshape(draws, -1)  # (N, K V)
        shuffled += by * _means(every, taken, pooling)
    steeper = ~(np.abs(shuffled) < abs(slope) - inference.SLACK)  # a NaN draw counts as steeper
    return _effect(slope, samples, (1 + steeper.sum()) / (1 + draws), count, resampling)


def margin_p(samples: np.ndarray, value: float, units: int, margin: float) -> float:
    """Test a difference against ±margin.

    If `value` lies within the margin, p is that of two one-sided tests (Schuirmann, J.
    Pharmacokin. Biopharm. 1987) that the difference is within it; otherwise, that it is beyond it.
    Shares of draws are widened for few units as in `inference.interval`, so that p <= alpha within
    the margin where the interval of level 1 - 2 alpha lies within it.

    Parameters
    ----------
    samples
        Differences of the draws, (N,).
    value
        Observed difference.
    units
        Number of units that were drawn.
    margin
        Largest absolute difference that counts as equal.

    Returns
    -------
    float
        p; NaN with fewer than two units or if a sample is not finite.

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
    """Return p from the draws (N,) on the wrong side; inverts the widening of the interval."""
    share = min((1 + wrong.sum()) / (1 + len(wrong)), 1 - 1e-9)
    return float(stdtr(units - 1, ndtri(share) * np.sqrt((units - 1) / units)))


def _means(sums: np.ndarray, weight: np.ndarray, pooling: str) -> np.ndarray:
    """Return the mean CCC over targets in each draw, averaged over seeds: (N,)."""
    return target_scores(sums, weight, pooling).mean(axis=0)[-1]


def _effect(
    value: float, samples: np.ndarray, p: float, units: int, resampling: Resampling
) -> Effect:
    low, high = inference.interval(samples, units, resampling.alpha)
    return Effect(float(value), float(low), float(high), float(p), samples)
