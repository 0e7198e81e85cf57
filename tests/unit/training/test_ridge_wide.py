"""Ridge regression on more features than rows: the weights of the (D, D) form, without it."""

import pytest
import torch

from avfusion.training.ridge import Ridge

ROWS, WIDTH = 30, 50


def table():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, WIDTH, generator=draw)
    y = torch.randn(ROWS, 2, generator=draw)
    x[:, 7], y[3, 0] = 1.0, torch.nan
    return x, y


@pytest.mark.parametrize("strength", [1e-5, 0.01, 1.0, 1000.0])
def test_weights_are_those_of_the_normal_equations(strength):
    x, y = table()
    weights, bias = Ridge(lambda: zip(x.split(7), y.split(7), strict=True)).weights(strength)
    for target in range(2):
        known = ~y[:, target].isnan()
        inputs, gold = x[known].double(), y[known][:, target].double()
        centered = inputs - inputs.mean(0)
        gram = centered.T @ centered
        penalty = strength * gram.trace() / WIDTH * torch.eye(WIDTH, dtype=gram.dtype)
        expected = torch.linalg.solve(gram + penalty, centered.T @ (gold - gold.mean()))
        torch.testing.assert_close(weights[target], expected, rtol=1e-7, atol=1e-9)
        constant = gold.mean() - expected @ inputs.mean(0)
        torch.testing.assert_close(bias[target], constant, rtol=1e-7, atol=1e-9)


def test_constant_features_give_the_mean():
    _, y = table()
    weights, bias = Ridge(lambda: [(torch.ones(ROWS, WIDTH), y)]).weights(1.0)
    assert not weights.any()
    torch.testing.assert_close(bias, y.double().nanmean(0))


def test_no_matrix_of_all_features_is_made():
    """25,088 features would have a matrix of 5 GB."""
    x = torch.randn(40, 60_000)
    weights, _ = Ridge(lambda: [(x, table()[1].repeat(2, 1)[:40])]).weights(1.0)
    assert weights.shape == (2, 60_000)
