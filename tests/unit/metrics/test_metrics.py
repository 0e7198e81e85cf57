"""CCC against two independent implementations, and at its edges."""

import audmetric
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from avfusion import metrics
from avfusion.metrics.concordance import ccc

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


def test_the_public_ccc_leaves_out_unrated_frames_and_keeps_the_kind_of_its_input():
    rng = np.random.default_rng(1)
    p, g = rng.normal(size=(2, 3, 40))
    g[rng.random(g.shape) < 0.3] = np.nan
    expected = [one(a[~np.isnan(b)], b[~np.isnan(b)]) for a, b in zip(p, g, strict=True)]
    assert metrics.ccc(p, g).tolist() == pytest.approx(expected, abs=1e-12)
    assert metrics.ccc(list(p[0]), pd.Series(g[0])) == pytest.approx(expected[0], abs=1e-12)
    assert isinstance(metrics.ccc(p[0], g[0]), float)

    given = torch.tensor(p, requires_grad=True)
    of_tensors = metrics.ccc(given, g)
    assert of_tensors.tolist() == pytest.approx(expected, abs=1e-12)
    of_tensors.sum().backward()
    assert (given.grad[torch.tensor(np.isnan(g))] == 0).all()
    assert (given.grad[torch.tensor(~np.isnan(g))] != 0).all()


def test_the_public_ccc_at_its_edges():
    assert np.isnan(metrics.ccc([], []))
    assert np.isnan(metrics.ccc([0.1, 0.2], [np.nan, np.nan]))
    assert np.isnan(metrics.ccc([0.1, np.nan], [0.1, 0.2])), "a missing prediction is no score"
    assert metrics.ccc(np.zeros((0, 5)), np.zeros((0, 5))).shape == (0,)
    assert metrics.ccc(torch.zeros(2, 0, 5), torch.zeros(2, 0, 5)).shape == (2, 0)
    with pytest.raises(ValueError, match=r"predicted has shape \(2,\) and gold \(3,\)"):
        metrics.ccc([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="frames on the last axis"):
        metrics.ccc(1.0, 1.0)
