"""Crossed bootstrap over people and trainings, behind intervals of scores and differences.

An interval covers other people and other trainings (encoder fit x fusion seed). Three corrections
make a bootstrap of few people and 3 x 3 trainings wide enough:

1. Units are drawn with replacement, each with all its videos. Deviations are multiplied by
   sqrt(U / (U - 1)) (Hesterberg, The American Statistician 2015, section 5.3).
2. Trainings drawn with replacement show 2/3 of the variance of three fits, and they take only ten
   values. Instead, a normal deviation is added to each draw, with the variance that trainings add
   according to `avfusion.evaluation.components`. So the moments match those of the random-effects
   model, and the interaction of people and trainings counts once (Owen 2007; Owen and Eckles 2012).
3. A variance of three fits is itself uncertain. Each draw is multiplied by sqrt(f / chi2(f)) with
   Satterthwaite's degrees of freedom f, so that normal draws become Student's t.

Without trainings that differ this is Hesterberg's expanded interval over units.

Shapes: E encoder fits, S fusion seeds, K targets, V videos, U units, N draws; sums are
(E, S, K, V, 6). Scores have K + 1 entries, those of the targets and their mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import stdtr

from avfusion.evaluation import threads
from avfusion.evaluation.components import Measure, Parts, Variance, parts, variances
from avfusion.evaluation.draws import percentiles, variance_of
from avfusion.evaluation.inference import units
from avfusion.metrics.sums import target_scores


@dataclass(frozen=True)
class Sample:
    """Trainings of one fusion on one sample of people, with the draws of its units.

    Parameters
    ----------
    parts
        Scores of the trainings and contributions of the units.
    draws
        Score of each draw of units, averaged over trainings, (K + 1, N).
    count
        Number of units behind each target, (K + 1,).
    """

    parts: Parts
    draws: np.ndarray
    count: np.ndarray

    @property
    def value(self) -> np.ndarray:
        """Score averaged over trainings, (K + 1,)."""
        return self.parts.score.mean(axis=(0, 1))


@dataclass(frozen=True)
class Estimate:
    """A score or a difference with its interval over people and trainings.

    Parameters
    ----------
    value, low, high
        Estimate and ends of its interval, (K + 1,).
    samples
        Draws of the crossed bootstrap, (K + 1, N).
    variance
        Variance components.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    samples: np.ndarray
    variance: Variance

    def below(self, bound: float) -> np.ndarray:
        """Return the t probability that the quantity is below a bound, (K + 1,).

        It is also the one-sided p of the hypothesis that the quantity is at most the bound.
        """
        return self._tail(bound - self.value)

    def above(self, bound: float) -> np.ndarray:
        """Return the t probability that the quantity is above a bound, (K + 1,)."""
        return self._tail(self.value - bound)

    def without_draws(self) -> "Estimate":
        """Drop the draws: those of hundreds of pairs fill the memory."""
        return replace(self, samples=self.samples[:, :0].copy())

    def _tail(self, distance: np.ndarray) -> np.ndarray:
        """Return the t distribution function of a distance in standard errors, (K + 1,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            t = distance / np.sqrt(self.variance.total)
        t = np.where((distance == 0) & (self.variance.total == 0), 0.0, t)
        return np.where(np.isnan(t), np.nan, stdtr(self.variance.freedom, t))


def sample(
    sums: np.ndarray,
    weight: np.ndarray,
    pooling: str,
    unit: np.ndarray | None = None,
) -> Sample:
    """Compute the scores of one fusion in all draws of units.

    Parameters
    ----------
    sums
        Sums of the trainings, (E, S, K, V, 6), or (E, S, K, V, 3) for "recall".
    weight
        Draws of units, (N, V), from `avfusion.evaluation.inference.draw`. All fusions are evaluated
        on the same draws.
    pooling
        Pooling of the protocol: `pooled`, `per_video_mean` or `recall`.
    unit
        Number of the unit of each video, (V,); None if each video is a unit.

    Returns
    -------
    Sample
        What `score` and `difference` need.
    """
    count = [*behind(sums, unit), units(sums.shape[3], unit)]
    return measured(sums, weight, partial(target_scores, pooling=pooling), count, unit)


def behind(sums: np.ndarray, unit: np.ndarray | None = None) -> list[int]:
    """Return the number of units that have each target or class, K; sums: (E, S, K, V, ...)."""
    numbers = np.arange(sums.shape[3]) if unit is None else unit
    return [len(np.unique(numbers[of])) for of in sums[0, 0, :, :, 0] > 0]


def measured(
    sums: np.ndarray,
    weight: np.ndarray,
    measure: Measure,
    count: Sequence[int],
    unit: np.ndarray | None = None,
) -> Sample:
    """Compute other scores than those of a protocol in all draws of units, such as WA.

    Parameters
    ----------
    sums, weight, unit
        As in `sample`.
    measure
        Computes M scores from the sums.
    count
        Number of units behind each score, M.

    Returns
    -------
    Sample
        With M scores instead of K + 1.
    """
    runs = sums.reshape(-1, *sums.shape[2:])  # (E S, K, V, ...)
    return Sample(
        parts=parts(sums, measure, unit),
        draws=measure(runs, weight).mean(axis=0),
        count=np.array(count, dtype=float),
    )


def score(first: Sample, alpha: float, seed: int) -> Estimate:
    """Estimate the score of a fusion over people and trainings.

    Parameters
    ----------
    first
        Sample of the fusion.
    alpha
        Share outside the interval, both tails together.
    seed
        Seed of the random generator.

    Returns
    -------
    Estimate
        Score of each target and of their mean; NaN ends with fewer than two units.
    """
    return _estimate(first, None, alpha, seed)


def difference(first: Sample, second: Sample, alpha: float, seed: int) -> Estimate:
    """Estimate the score of `first` minus that of `second`.

    Parameters
    ----------
    first, second
        Samples of two fusions with the same encoder fits, videos and draws. Their seeds are
        independent.
    alpha
        Share outside the interval, both tails together.
    seed
        Seed of the random generator.

    Returns
    -------
    Estimate
        Difference of each target and of the mean; NaN ends with fewer than two units.
    """
    return _estimate(first, second, alpha, seed)


def differences(
    pairs: Sequence[tuple[Sample, Sample]], alpha: float, seed: int
) -> Iterator[Estimate]:
    """Yield the `difference` of each of many pairs, equal to those of single calls.

    Few estimates are made ahead, because the draws of hundreds of pairs fill the memory.
    """
    return _estimates(pairs, alpha, seed)


def scores(samples: Sequence[Sample], alpha: float, seed: int) -> Iterator[Estimate]:
    """Yield the `score` of each of many samples, equal to those of single calls."""
    return _estimates([(one, None) for one in samples], alpha, seed)


def _estimate(first: Sample, second: Sample | None, alpha: float, seed: int) -> Estimate:
    (one,) = _estimates([(first, second)], alpha, seed)
    return one


def _estimates(
    each: Sequence[tuple[Sample, Sample | None]], alpha: float, seed: int
) -> Iterator[Estimate]:
    """Widen the draws of units to people and trainings, and take percentiles."""
    people = [_people(_deviation(*one)[1], one[0].count) for one in each]
    parts = [(first.parts, None if second is None else second.parts) for first, second in each]
    spreads = variances(parts, people, [first.count for first, _ in each])
    pairs = list(zip(each, spreads, strict=True))
    yield from threads.each(lambda one: _widened(*_deviation(*one[0]), one[1], alpha, seed), pairs)


def _deviation(first: Sample, second: Sample | None) -> tuple[np.ndarray, np.ndarray]:
    """Return a score or difference (K + 1,) and how much each draw deviates from it (K + 1, N)."""
    if second is None:
        return first.value, first.draws - first.value[:, None]
    value = first.value - second.value
    deviation = first.draws - second.draws
    deviation -= value[:, None]
    return value, deviation


def _people(deviation: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the variance over units of draws (K + 1, N) with `count` units each, (K + 1,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return count / (count - 1) * np.where(count > 1, variance_of(deviation), np.nan)


def _widened(
    value: np.ndarray, deviation: np.ndarray, spread: Variance, alpha: float, seed: int
) -> Estimate:
    """Add trainings and the uncertainty of their variance to the draws; overwrites `deviation`."""
    finite, count = np.isfinite(deviation), spread.units
    complete = bool(finite.all())
    rng = np.random.default_rng(seed)  # the same draws for all estimates
    normal = rng.normal(size=deviation.shape[-1])
    ends = np.full((2, len(value)), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(np.isfinite(spread.freedom), spread.freedom, 1)[:, None]
        scale = rng.chisquare(freedom, deviation.shape)
        np.sqrt(np.divide(freedom, scale, out=scale), out=scale)
        samples = deviation
        samples *= np.sqrt(count / (count - 1))[:, None]
        samples += np.sqrt(spread.trainings)[:, None] * normal
        samples *= scale
        samples += value[:, None]
    for k, row in enumerate(samples):
        if count[k] > 1 and finite[k].any():
            kept = row if complete else row[finite[k]]
            ends[:, k] = percentiles(kept, alpha)
    return Estimate(value, ends[0], ends[1], samples, spread)
