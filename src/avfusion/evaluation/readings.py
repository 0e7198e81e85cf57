"""Readings of a difference next to p: posterior probabilities, one-sided p, people needed.

All readings take a difference D with variance V and f degrees of freedom (Satterthwaite) as
Student's t. As a posterior this is the Bayesian correlated t test with a flat prior (Benavoli et
al., Journal of Machine Learning Research 2017, section 4.1). Its variance there corrects the mean
over folds for their correlation; here it is that over people and trainings.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtr, stdtrit

from avfusion.evaluation.crossed import Estimate
from avfusion.evaluation.inference import SLACK

LIMIT = 1_000_000
"""More units than this are never needed: the trainings vary too much."""


@dataclass(frozen=True)
class Posterior:
    """Probabilities that the first fusion is worse, practically equal, or better."""

    worse: float
    equal: float
    better: float


def posterior(estimate: Estimate, margin: float, k: int = -1) -> Posterior:
    """Return the probabilities that a difference is below, within and above the margin.

    Parameters
    ----------
    estimate
        Difference of two fusions.
    margin
        Largest absolute difference that counts as practically equal.
    k
        Index of the target; the last is the mean.

    Returns
    -------
    Posterior
        Three probabilities with the sum 1; NaN with fewer than two units.
    """
    worse, better = float(estimate.below(-margin)[k]), float(estimate.above(margin)[k])
    return Posterior(worse, 1 - worse - better, better)


def p_equivalent(estimate: Estimate, margin: float, k: int = -1) -> float:
    """Return p of two one-sided tests that a difference lies within the margin.

    Parameters
    ----------
    estimate
        Difference of two fusions.
    margin
        Largest absolute difference that counts as practically equal.
    k
        Index of the target; the last is the mean.

    Returns
    -------
    float
        The larger p of the two tests (Schuirmann, J. Pharmacokin. Biopharm. 1987).
    """
    return float(np.maximum(estimate.below(-margin)[k], estimate.above(margin)[k]))


def p_smaller(estimate: Estimate, published: float, k: int = -1) -> float:
    """Return the one-sided p that a difference is smaller than the published one.

    Parameters
    ----------
    estimate
        Difference of two fusions.
    published
        Published difference; if it is negative, the difference must be larger than it.
    k
        Index of the target; the last is the mean.

    Returns
    -------
    float
        p of the hypothesis that the difference is at least as large as published.
    """
    tail = estimate.above(published) if published >= 0 else estimate.below(published)
    return float(tail[k])


def units_needed(
    estimate: Estimate, difference: float, alpha: float, power: float = 0.8, k: int = -1
) -> int | None:
    """Return how many units a difference would need to be significant with this power.

    The variance over units shrinks with their number. The variance over trainings stays, so no
    number of units may suffice.

    Parameters
    ----------
    estimate
        Difference of two fusions, for the observed variance per unit.
    difference
        Difference that shall be significant.
    alpha
        Two-sided level; alpha / family size for the first step of Holm's correction.
    power
        Probability that the test is significant.
    k
        Index of the target; the last is the mean.

    Returns
    -------
    int or None
        Number of units (people, or videos); None if more than `LIMIT` or if the variance is
        unknown.
    """
    if not np.isfinite(estimate.variance.total[k]) or difference == 0:
        return None

    def enough(units: int) -> bool:
        return _power(estimate, abs(difference), alpha, k, units) >= power

    high = 2
    while not enough(high):
        high *= 2
        if high > LIMIT:
            return None
    low = high // 2  # too few, unless it is 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _power(estimate: Estimate, difference: float, alpha: float, k: int, units: int) -> float:
    """Return the power of the t test of a difference with this many units."""
    spread = estimate.variance
    people, count = float(spread.people[k]), float(spread.units[k])
    total = float(spread.total[k])
    fixed = max(total**2 / float(spread.freedom[k]) - people**2 / (count - 1), 0.0)
    people *= count / units
    total = people + float(spread.trainings[k])
    if total <= SLACK**2:
        return 1.0
    freedom = max(total**2 / (people**2 / (units - 1) + fixed), 1.0)
    effect = difference / np.sqrt(total)
    bound = float(stdtrit(freedom, 1 - alpha / 2))
    if effect > bound + 8:
        return 1.0
    return float(1 - nctdtr(freedom, effect, bound))
