"""CCC against two independent implementations, and at its edges."""

import audmetric
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from avfusion.metrics.ccc import ccc

ratings = st.integers(-1000, 1000).map(lambda n: n / 1000)
pairs = st.integers(2, 40).flatmap(
    lambda n: st.tuples(arrays(float, n, elements=ratings), arrays(float, n, elements=ratings))
)


def one(prediction, gold) -> float:
    return ccc(torch.from_numpy(prediction), torch.from_numpy(gold)).item()


@given(pairs)
def test_equals_audmetric(pair):
    prediction, gold = pair
    if np.ptp(prediction) == np.ptp(gold) == 0 and prediction[0] == gold[0]:
        assert np.isnan(one(prediction, gold))  # audmetric divides rounding errors of the mean
        return
    expected = audmetric.concordance_cc(gold, prediction)
    assert one(prediction, gold) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@given(pairs)
def test_equals_the_equation_with_scipy_moments(pair):
    p, g = pair
    if np.ptp(p) == 0 or np.ptp(g) == 0:
        return
    spread = stats.moment(p, 2) + stats.moment(g, 2) + (p.mean() - g.mean()) ** 2
    expected = 2 * stats.pearsonr(p, g)[0] * p.std() * g.std() / spread
    assert one(p, g) == pytest.approx(expected, abs=1e-9)


@given(pairs)
def test_is_symmetric_and_bounded(pair):
    p, g = pair
    value = one(p, g)
    assert value == pytest.approx(one(g, p), abs=1e-12, nan_ok=True)
    assert np.isnan(value) or abs(value) <= 1 + 1e-12


@given(pairs, st.floats(0.1, 10), st.floats(-5, 5))
def test_a_common_change_of_unit_leaves_it(pair, scale, shift):
    p, g = pair
    moved = one(p * scale + shift, g * scale + shift)
    if np.ptp(p) > 0 or np.ptp(g) > 0:
        assert moved == pytest.approx(one(p, g), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -0.3, 1e6 / 3])
def test_constants(value):
    """A constant says nothing: 0 against anything else, NaN against itself."""
    constant = torch.full((7,), value)
    assert ccc(constant, torch.linspace(-1, 1, 7)).item() == 0
    assert ccc(constant, constant + 0.5).item() == 0
    assert ccc(constant, constant).isnan()


def test_nothing_gives_nan_and_leading_axes_are_kept():
    assert ccc(torch.zeros(3, 0), torch.zeros(3, 0)).isnan().tolist() == [True] * 3
    x = torch.rand(2, 3, 50, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ccc(x, x), torch.ones(2, 3))
