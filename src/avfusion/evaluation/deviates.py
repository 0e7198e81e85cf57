"""Chi-square deviates and percentiles of many tests on the same draws, with numpy's numbers.

numpy makes a chi-square deviate from a normal deviate X and a uniform one U, and takes the next
pair where it is rejected (Marsaglia and Tsang, ACM Transactions on Mathematical Software 2000).
Tests that start in the same state of the generator therefore share their pairs, whatever their
degrees of freedom. `ChiSquare` draws the pairs once.
"""

from typing import Any

import numpy as np

SPARE = 1.1
"""Pairs that are drawn per deviate; at most one in twenty is rejected."""

SQUEEZE = 0.0331
"""Constant of the test that accepts most pairs without a logarithm."""

STEP, LEAST = 16, 2_000
"""Every 16th draw bounds a tail; with fewer draws, all are sorted."""


class ChiSquare:
    """Chi-square deviates of a generator that always starts in the same state.

    Parameters
    ----------
    state
        State of a `numpy.random.default_rng`.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self._normal, self._uniform = np.empty(0), np.empty(0)
        self._sure = np.empty(0, bool)

    def rows(self, freedom: np.ndarray, count: int) -> np.ndarray:
        """Return `count` deviates for each of K degrees of freedom, drawn in turn, (K, count).

        They equal those of `Generator.chisquare(freedom[k], count)` for each k.
        """
        self._draw(int(SPARE * count * len(freedom)) + 100)
        found, start = np.empty((len(freedom), count)), 0
        for row, one in zip(found, freedom, strict=True):
            used = self._fill(row, float(one), start)
            if used is None:
                return self._plain(freedom, count)
            start += used
        return found

    def _draw(self, count: int) -> None:
        """Draw the first `count` pairs, unless there are as many."""
        if len(self._normal) >= count:
            return
        rng = self.generator()
        pairs = np.array([(rng.standard_normal(), rng.random()) for _ in range(count)])
        self._normal, self._uniform = pairs.T.copy()
        squares = self._normal * self._normal
        self._sure = self._uniform < 1.0 - SQUEEZE * squares * squares

    def _fill(self, row: np.ndarray, freedom: float, start: int) -> int | None:
        """Fill a row from the pairs after `start`; return how many it uses.

        Return None where pairs cannot be shared: a normal deviate is drawn again if it gives a
        negative value, and other methods are used up to two degrees of freedom.
        """
        base = freedom / 2 - 1.0 / 3.0
        end = start + int(SPARE * len(row)) + 20
        normal = self._normal[start:end]
        if freedom <= 2 or len(normal) < len(row):
            return None
        value = 1.0 / np.sqrt(9 * base) * normal
        value += 1.0
        if value.min() <= 0:
            return None
        cube = value * value
        cube *= value
        rejected = np.flatnonzero(~self._sure[start:end])
        x, v = normal[rejected], cube[rejected]
        bound = 0.5 * x * x + base * (1.0 - v + np.log(v))
        rejected = rejected[np.log(self._uniform[start:end][rejected]) >= bound]
        kept = np.delete(cube, rejected)
        if len(kept) < len(row):
            return None
        np.multiply(kept[: len(row)], base, out=row)
        row *= 2.0
        ranks = rejected - np.arange(len(rejected))  # accepted pairs before each rejected one
        return len(row) + int((ranks < len(row)).sum())

    def _plain(self, freedom: np.ndarray, count: int) -> np.ndarray:
        rng = self.generator()
        return np.stack([rng.chisquare(one, count) for one in freedom])

    def generator(self) -> np.random.Generator:
        """Return a generator in the state in which these deviates start."""
        rng = np.random.default_rng()
        rng.bit_generator.state = self._state
        return rng


def percentiles(draws: np.ndarray, alpha: float) -> np.ndarray:
    """Return the alpha/2 and 1 - alpha/2 quantiles of draws (N,), as `numpy.quantile` does.

    Only the draws in a tail are sorted.

    >>> percentiles(np.arange(101.0), 0.1).tolist()
    [5.0, 95.0]
    """
    probabilities = [alpha / 2, 1 - alpha / 2]
    ends = [_quantile(draws, p) for p in probabilities if len(draws) >= LEAST]
    if not ends or None in ends:
        quantiles: np.ndarray = np.quantile(draws, probabilities)
        return quantiles
    return np.array(ends, float)


def _quantile(draws: np.ndarray, probability: float) -> float | None:
    """Return a quantile by linear interpolation; None if its tail is not found."""
    place = (len(draws) - 1) * probability
    below = int(np.floor(place))
    few = np.sort(draws[::STEP])
    if probability < 0.5:
        bound = few[min(int(1.5 * probability * len(few)) + 8, len(few) - 1)]
        tail, skipped = draws[draws <= bound], 0
    else:
        bound = few[max(int((1 - 1.5 * (1 - probability)) * len(few)) - 8, 0)]
        tail = draws[draws >= bound]
        skipped = len(draws) - len(tail)
    if not 0 <= below - skipped < len(tail) - 1 or not np.isfinite(few).all():
        return None
    first, second = np.sort(tail)[below - skipped : below - skipped + 2]
    share = place - below
    if share >= 0.5:
        return float(second - (second - first) * (1 - share))
    return float(first + (second - first) * share)
