"""The CCC loss: what it is worth, what it ignores, and that its gradient is always finite."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from avfusion.metrics.concordance import ccc
from avfusion.training.losses import ccc_loss, ccc_loss_by_window

ratings = st.integers(-100, 100).map(lambda n: n / 100)
windows = st.tuples(st.integers(1, 4), st.integers(1, 8)).flatmap(
    lambda size: st.tuples(
        arrays(float, (*size, 2), elements=ratings),
        arrays(float, (*size, 2), elements=ratings),
        arrays(bool, (*size, 2)),
    )
)


@given(windows)
def test_is_the_sum_over_dimensions_of_one_minus_pooled_ccc(case):
    prediction, gold, rated = (torch.from_numpy(part) for part in case)
    expected = 0.0
    for d in range(2):
        keep = rated[..., d]
        if keep.sum() >= 2:
            value = ccc(prediction[..., d][keep], gold[..., d][keep]).nan_to_num(0.0)
            expected += 1 - value.item()
    found = ccc_loss(prediction, gold.masked_fill(~rated, torch.nan)).item()
    assert found == pytest.approx(expected, abs=1e-3)


@given(windows)
def test_gradient_is_finite_and_zero_where_unrated(case):
    prediction, gold, rated = (torch.from_numpy(part) for part in case)
    prediction.requires_grad_()
    ccc_loss(prediction, gold.masked_fill(~rated, torch.nan)).backward()
    assert prediction.grad.isfinite().all()
    assert (prediction.grad[~rated] == 0).all()


def test_what_is_predicted_where_nothing_is_rated_does_not_matter():
    draw = torch.Generator().manual_seed(0)
    prediction, gold = torch.rand(2, 5, 6, 2, generator=draw)
    gold[1, 2:] = torch.nan
    other = prediction.clone()
    other[1, 2:] = torch.inf
    assert ccc_loss(other, gold) == ccc_loss(prediction, gold)


def test_one_rated_instant_is_no_loss():
    gold = torch.full((4, 2), torch.nan)
    gold[0, 0] = 0.3
    gold[:, 1] = torch.linspace(0, 1, 4)
    prediction = torch.zeros(4, 2)
    assert ccc_loss(prediction, gold).item() == 1.0  # arousal's alone: a constant prediction


def test_constant_prediction_has_a_gradient_that_leads_out():
    prediction = torch.zeros(10, 2, requires_grad=True)
    gold = torch.linspace(-1, 1, 10)[:, None].expand(10, 2)
    loss = ccc_loss(prediction, gold)
    loss.backward()
    step = (prediction - 0.1 * prediction.grad).detach()
    assert ccc_loss(step, gold) < loss


def test_gradient_is_the_slope():
    draw = torch.Generator().manual_seed(1)
    prediction = torch.rand(6, 2, generator=draw, dtype=torch.float64, requires_grad=True)
    gold = torch.rand(6, 2, generator=draw, dtype=torch.float64)
    gold[2, 0] = torch.nan
    assert torch.autograd.gradcheck(lambda p: ccc_loss(p, gold), prediction)


def test_pooling_sees_offsets_between_windows():
    """Each window right but for its own offset: concordance within is 1, pooled it is not."""
    gold = torch.linspace(-1, 1, 8)[None, :, None].repeat(2, 1, 2)
    shifted = gold + torch.tensor([-1.0, 1.0])[:, None, None]
    assert ccc_loss(shifted, gold).item() > 0.5


def test_by_window_is_the_mean_of_each_windows_own_loss():
    draw = torch.Generator().manual_seed(2)
    prediction, gold = torch.rand(2, 5, 6, 2, generator=draw)
    gold[1, 2:] = torch.nan
    own = [ccc_loss(p, g).item() for p, g in zip(prediction, gold, strict=True)]
    assert ccc_loss_by_window(prediction, gold).item() == pytest.approx(sum(own) / 5, rel=1e-5)
