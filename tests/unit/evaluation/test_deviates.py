"""Deviates and percentiles that tests share are those of numpy."""

import numpy as np
import pytest

from avfusion.evaluation.deviates import LEAST, ChiSquare, percentiles


@pytest.mark.parametrize("seed", [0, 1])
def test_chi_square_deviates_are_those_of_numpy_for_any_degrees_of_freedom(seed):
    """With few degrees of freedom, pairs cannot be shared; the rows stay in turn."""
    rng = np.random.default_rng(seed)
    rng.integers(0, 2, 7, dtype=np.int8)  # half of a word of random bits is left over
    state = dict(rng.bit_generator.state)
    deviates = ChiSquare(state)
    for freedom in ([59.0, 8.3, 17.0], [300.0], [5.1, 5.1], [1.0, 59.0], [12.0, 2.0], [3.0], [0.7]):
        for count in (1, 40, 10_000):
            rng.bit_generator.state = state
            plain = np.stack([rng.chisquare(one, count) for one in freedom])
            assert deviates.rows(np.array(freedom), count) == pytest.approx(plain, rel=1e-13)
        rng.bit_generator.state = state
        assert deviates.generator().normal() == rng.normal()


@pytest.mark.parametrize("count", [1, 2, 30, LEAST, 9_999, 10_000])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.3, 1.0])
def test_percentiles_are_those_of_numpy(count, alpha):
    rng = np.random.default_rng(count)
    normal = rng.normal(size=count)
    odd = [np.where(normal > 1.9, np.nan, normal), np.where(normal > 1, np.inf, normal)]
    for draws in (
        normal,
        normal**3,
        np.round(normal),
        np.zeros(count),
        np.sort(normal)[::-1],
        *odd,
    ):
        plain = np.quantile(draws, [alpha / 2, 1 - alpha / 2])
        assert percentiles(draws, alpha) == pytest.approx(plain, rel=1e-14, nan_ok=True)
