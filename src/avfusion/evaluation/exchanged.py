"""Studentised exchange test of two fusions whose p accounts for people and trainings.

The statistic is t = difference / sqrt(V) with V of `avfusion.evaluation.components`. If two fusions
are equal, exchanging them in one unit changes the sign of the unit's contribution. So in each draw
contributions get random signs. To this exchange distribution of the unit part, scaled to its
variance, a normal deviation with the variance of the trainings is added. The sum is divided by
sqrt(chi2(f) / f) with Satterthwaite's degrees of freedom f, because V is estimated. Few units that
decide the difference give this distribution other tails than Student's t with f degrees of freedom.

p is the larger of the p of this distribution and that of Student's t. The first was significant
at 0.05 in 6.3% of 1000 simulated corpora of two equal fusions with 10 or 15 people; the larger was
in 4.5%.

The exchange is that of linear contributions (jackknife pseudo-values), not of the sums themselves,
so p is not exact. `tests/unit/evaluation/test_simulation.py` asserts its size.

Beyond the largest draws, p follows the tail of Student's t, joined where `TAIL` draws are larger
(compare Knijnenburg et al., Bioinformatics 2009). So p has no smallest value that draws set.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from scipy.special import stdtr

from avfusion.evaluation import threads
from avfusion.evaluation.crossed import Estimate, Sample

LEAST, MOST = 10_000, 100_000
"""Fewest and most draws of a test; beyond the most, the tail of Student's t is used."""

TAIL = 20
"""Number of larger draws below which p follows the tail of Student's t."""

CHUNK = 10_000
"""Draws that are made at once."""

TOGETHER = 48
"""Tests whose exchanges are computed at once: 4 MB with 10,000 draws."""

Test = tuple[Sample, Sample, Estimate, int]
"""Samples of two fusions, their difference from `crossed.difference`, and the target's number."""


def draws_for(family: int, alpha: float) -> int:
    """Return how many draws a test in a family of this size needs.

    Parameters
    ----------
    family
        Number of tests that are corrected together.
    alpha
        Level of significance.

    Returns
    -------
    int
        Enough that family / (draws + 1) is below 0.001 and alpha / 50, but at most `MOST`.

    Examples
    --------
    >>> draws_for(1, 0.05), draws_for(34, 0.05), draws_for(595, 0.05)
    (10000, 34000, 100000)
    """
    smallest = min(0.001, alpha / 50)
    return int(np.clip(np.ceil(round(family / smallest, 6)), LEAST, MOST))


def swap_test(
    first: Sample, second: Sample, estimate: Estimate, draws: int, seed: int
) -> np.ndarray:
    """Test whether two fusions differ over people and trainings.

    Parameters
    ----------
    first, second
        Samples of the two fusions.
    estimate
        Their difference, from `avfusion.evaluation.crossed.difference`.
    draws, seed
        N, the number of exchanges, and the seed of their generator.

    Returns
    -------
    ndarray of shape (K + 1,)
        Two-sided p of each target and of the mean; NaN with fewer than two units. It is 1 if no
        unit differs.
    """
    return swap_tests([(first, second)], [estimate], draws, seed)[0]


def swap_tests(
    pairs: Sequence[tuple[Sample, Sample]], estimates: Sequence[Estimate], draws: int, seed: int
) -> np.ndarray:
    """Return the p of `swap_test` of many pairs, (P, K + 1)."""
    each = zip(pairs, estimates, strict=True)
    tests = [(*pair, one, k) for pair, one in each for k in range(len(one.value))]
    return np.array(p_values(tests, draws, seed)).reshape(len(pairs), -1)


def p_values(tests: Sequence[Test], draws: int, seed: int) -> list[float]:
    """Return the two-sided p of each test; see `swap_test`.

    All tests share their exchanges, so the exchanges of many are one matrix product.

    Parameters
    ----------
    tests
        Tests on the same units.
    draws, seed
        N, the number of exchanges, and the seed of their generator.
    """
    p = [_without_draws(of, k, _contributions(one, other, k)) for one, other, of, k in tests]
    tails = {i: _Tail(*tests[i][2:]) for i, known in enumerate(p) if known is None}
    groups = [list(tails)[i : i + TOGETHER] for i in range(0, len(tails), TOGETHER)]
    for number, start in enumerate(range(0, draws, CHUNK)):
        for some in groups:
            size = np.stack([_sizes(_contributions(*tests[i][:2], tests[i][3])) for i in some])
            count = min(CHUNK, draws - start)
            signs, normal, state = _exchanges(number, count, size.shape[-1], seed)
            rows = [(*tests[i][2:], row) for i, row in zip(some, size @ signs.T, strict=True)]
            nulls = threads.each(partial(_null, normal=normal, state=state), rows)
            for i, null in zip(some, nulls, strict=True):
                tails[i].add(null)
    return [tails[i].p() if known is None else known for i, known in enumerate(p)]


def _contributions(first: Sample, second: Sample, k: int) -> np.ndarray:
    """Return how much each unit contributes to the difference of two fusions, (U,)."""
    gap: np.ndarray = (first.parts.unit[..., k, :] - second.parts.unit[..., k, :]).mean(axis=(0, 1))
    return gap


def _sizes(unit: np.ndarray) -> np.ndarray:
    """Return the sizes of contributions (U,), largest first, scaled to a sum of squares of 1.

    p does not depend on the order of units, nor on the sign.
    """
    size = np.sort(np.abs(unit))[::-1]
    scaled: np.ndarray = size / max(np.sqrt(size @ size), 1e-300)
    return scaled


def _without_draws(estimate: Estimate, k: int, unit: np.ndarray) -> float | None:
    """Return p where it needs no draws: an unknown variance, or none; else None."""
    total = float(estimate.variance.total[k])
    if not np.isfinite(total) or not np.isfinite(unit).all():
        return float("nan")
    if total == 0:
        return 1.0 if estimate.value[k] == 0 else 0.0
    return None


def _null(
    of: tuple[Estimate, int, np.ndarray], normal: np.ndarray, state: Mapping[str, Any]
) -> np.ndarray:
    """Return |t| (N,) of exchanged contributions (N,) with the deviations of trainings added."""
    estimate, k, exchanged = of
    spread, freedom = estimate.variance, float(estimate.variance.freedom[k])
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    null = np.sqrt(spread.people[k]) * exchanged
    null += np.sqrt(spread.trainings[k]) * normal
    scale = rng.chisquare(freedom, len(null))
    null *= np.sqrt(np.divide(freedom, scale, out=scale), out=scale)
    np.abs(null, out=null)
    null /= np.sqrt(float(spread.total[k]))
    return null


class _Tail:
    """Count of the draws that are at least as large as the observed |t|, and the largest draws."""

    def __init__(self, estimate: Estimate, k: int) -> None:
        self.freedom = float(estimate.variance.freedom[k])
        self.t = abs(float(estimate.value[k])) / np.sqrt(float(estimate.variance.total[k]))
        self.larger = self.count = 0
        self.top = np.empty(0)

    def add(self, null: np.ndarray) -> None:
        """Count |t| of exchanges (N,)."""
        self.larger += int((null >= self.t).sum())
        self.count += len(null)
        if self.larger < TAIL:  # else the largest are not needed
            self.top = np.sort(np.concatenate([self.top, null]))[-TAIL:]

    def p(self) -> float:
        """Return the larger p of the exchanges and of Student's t."""
        student = float(stdtr(self.freedom, -self.t))
        share = (1 + self.larger) / (1 + self.count)
        if self.larger < TAIL < self.count:
            beyond = student / float(stdtr(self.freedom, -self.top[0]))
            share = (1 + TAIL) / (1 + self.count) * beyond
        return max(2 * student, share)


@lru_cache(maxsize=1)
def _exchanges(
    number: int, count: int, units: int, seed: int
) -> tuple[np.ndarray, np.ndarray, Mapping[str, Any]]:
    """Draw the exchanges of one chunk, which all tests share.

    Returns
    -------
    signs
        Sign of each unit, (N, U).
    normal
        Normal deviation of each exchange, (N,).
    state
        State of the generator after them.
    """
    rng = np.random.default_rng([seed, number] if number else seed)
    signs = 2.0 * rng.integers(0, 2, size=(count, units), dtype=np.int8) - 1
    return signs, rng.normal(size=count), rng.bit_generator.state
