"""Ridge regression: the weights of NumPy's least squares, however the rows are given."""

import numpy as np
import pytest
import torch

from avfusion.training.ridge import STRENGTHS, Ridge

ROWS, WIDTH = 400, 12


def table() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, WIDTH, generator=draw) * torch.logspace(-2, 2, WIDTH) + 30
    y = 0.1 * x[:, :2] + torch.randn(ROWS, 2, generator=draw) + 5
    return x, y


def least_squares(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Ridge as least squares of augmented rows, with a column of ones that is not penalised."""
    root = np.sqrt(penalty) * np.eye(x.shape[1])
    rows = np.block([[x, np.ones((len(x), 1))], [root, np.zeros((x.shape[1], 1))]])
    weights = np.linalg.lstsq(rows, np.append(y, np.zeros(x.shape[1])), rcond=None)[0]
    return weights[:-1], weights[-1]


@pytest.mark.parametrize("part", [1, 7, ROWS])
@pytest.mark.parametrize("strength", STRENGTHS)
def test_weights_are_those_of_least_squares(strength, part):
    x, y = table()
    weights, bias = Ridge(lambda: zip(x.split(part), y.split(part), strict=True)).weights(strength)
    inputs, gold = x.double().numpy(), y.double().numpy()
    penalty = strength * ((inputs - inputs.mean(0)) ** 2).sum() / WIDTH
    for target in range(2):
        expected, constant = least_squares(inputs, gold[:, target], penalty)
        np.testing.assert_allclose(weights[target], expected, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(bias[target], constant, rtol=1e-8, atol=1e-8)


def test_a_target_is_fitted_to_the_rows_that_have_it():
    x, y = table()
    y[::3, 0] = torch.nan
    weights, bias = Ridge(lambda: [(x, y)]).weights(0.1)
    for target in range(2):
        rows = ~y[:, target].isnan()
        alone = Ridge(lambda rows=rows, k=target: [(x[rows], y[rows, k : k + 1])]).weights(0.1)
        torch.testing.assert_close(weights[target], alone[0][0])
        torch.testing.assert_close(bias[target], alone[1][0])


def test_a_target_without_a_row_is_refused():
    x, y = table()
    y[:, 1] = torch.nan
    with pytest.raises(ValueError, match="target 1 is known in no row"):
        Ridge(lambda: [(x, y)])
