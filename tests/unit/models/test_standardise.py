"""Scaling: train rows define it, extremes do not, and no value of any size gets through."""

import numpy as np
import pytest
import torch

from avfusion.config.training import TrainSettings
from avfusion.models.standardise import Standardise, limited

HERE = torch.ones(1, dtype=torch.bool)


def scale(x, **rule) -> Standardise:
    """One feature (N,) or several (N, D), measured."""
    rows = torch.as_tensor(np.asarray(x, np.float32)).reshape(len(x), -1)
    module = Standardise(rows.shape[1], TrainSettings(**rule))
    module.measure(rows)
    return module


def through(module: Standardise, *values: float) -> list[float]:
    x = torch.tensor(values)[:, None]
    return module(x, HERE.expand(len(values)))[:, 0].tolist()


def normal(count: int = 4000) -> np.ndarray:
    return np.random.default_rng(0).normal(7, 3, count)


def test_standard_scaling_gives_mean_0_and_deviation_1():
    module = scale(normal(), standardise="standard")
    assert module.mean.item() == pytest.approx(normal().mean(), rel=1e-5)
    assert module.scale.item() == pytest.approx(normal().std(), rel=1e-5)


@pytest.mark.parametrize("kind", ["even", "long"])
def test_center_and_scale_follow_from_the_winsorised_values(kind):
    draw = np.random.default_rng(1)
    x = draw.uniform(1, 3, 5000) if kind == "even" else draw.standard_t(4, 5000)
    low, high = np.quantile(x, [0.005, 0.995])
    inner = x.clip(low, high)
    center, reach = inner.mean(), max(high - inner.mean(), inner.mean() - low) / 2
    module = scale(x)
    assert module.mean.item() == pytest.approx(center, rel=1e-3)
    assert module.scale.item() == pytest.approx(max(inner.std(), reach), rel=1e-3)
    assert (kind == "even") == (inner.std() > reach)


@pytest.mark.parametrize("wild", [1e3, 6e4])
def test_a_few_wild_values_do_not_move_the_scale(wild):
    x = normal()
    x[:10] = wild
    assert scale(x).scale.item() == pytest.approx(scale(normal()).scale.item(), rel=0.1)
    assert scale(x, standardise="standard").scale.item() > 30


def test_at_most_1_percent_of_the_train_values_are_limited_however_rarely_a_unit_fires():
    draw = np.random.default_rng(2)
    for share in (0.001, 0.004, 0.006, 0.02, 0.05, 0.3):
        x = np.where(draw.random(20_000) < share, draw.gamma(2, 1, 20_000), 0)
        module = scale(x)
        assert module.beyond(torch.tensor(x)[:, None].float()).float().mean() <= 0.01
    assert scale(draw.standard_cauchy(20_000)).scale.isfinite()


def test_a_unit_that_hardly_ever_fires_keeps_its_plain_deviation_and_is_called_dead():
    x = np.zeros(1000)
    x[:3] = 4e-5
    module = scale(x)
    assert module.scale.item() == pytest.approx(np.std(x), rel=1e-4)
    assert module.dead.tolist() == [True]
    assert through(module, 4.0) == [0]
    assert scale(normal()).dead.tolist() == [False]


@pytest.mark.parametrize("kind", ["robust", "standard"])
@pytest.mark.parametrize("value", [0.0, 3.14, -2e4])
def test_a_feature_that_is_constant_on_train_gives_0_whatever_it_is_elsewhere(kind, value):
    assert through(scale(np.full(50, value), standardise=kind), value, 0.0, 1e4) == [0, 0, 0]


@pytest.mark.parametrize("kind", ["robust", "standard"])
def test_a_modality_that_train_never_has_gives_0_elsewhere(kind):
    """Its weights are those that the model began with."""
    module = scale(np.full(50, np.nan), standardise=kind)
    assert through(module, 1.0, -1e4, np.nan) == [0, 0, 0]
    assert module.dead.tolist() == [False]


def test_limited_is_the_identity_then_flat_then_0():
    z = torch.linspace(-30, 30, 601)
    y = limited(z, 5)
    assert torch.equal(y[z.abs() <= 5], z[z.abs() <= 5])
    assert torch.allclose(y[(z.abs() > 5) & (z.abs() <= 10)].abs(), torch.tensor(5.0))
    assert torch.allclose(y[z.abs() >= 20], torch.tensor(0.0), atol=1e-5)
    assert torch.allclose(y, -y.flip(0), atol=1e-5)
    assert (y.diff().abs() <= z.diff().max() + 1e-5).all()  # continuous
    assert limited(torch.tensor([torch.inf, -torch.inf]), 5).tolist() == [0, 0]


def test_none_leaves_features_as_they_are_and_absent_rows_0():
    module = scale(normal(), standardise="none")
    x = torch.tensor([[5.0], [1e6], [torch.nan], [3.0]])
    here = torch.tensor([True, True, True, False])
    actual = module(x, here)[:, 0].tolist()
    assert actual == [5, 1e6, pytest.approx(7, abs=0.2), 0]


@pytest.mark.parametrize("kind", ["robust", "standard"])
def test_a_missing_feature_becomes_the_train_mean(kind):
    module = scale(np.stack([normal(), normal()], 1), standardise=kind)
    x = torch.tensor([[torch.nan, 10.0]])
    assert module(x, HERE)[0, 0] == 0
    assert module(x, HERE)[0, 1] == pytest.approx((10 - 7) / module.scale[1].item(), abs=0.1)


def test_missing_values_do_not_count_for_the_scale():
    x = np.append(normal(), np.full(2000, np.nan))
    assert scale(x).mean.item() == pytest.approx(scale(normal()).mean.item(), abs=1e-5)


@pytest.mark.parametrize("kind", ["robust", "none"])
def test_unit_length_divides_each_present_row_by_its_length(kind):
    module = scale(
        np.random.default_rng(3).normal(2, 1, (500, 4)), unit_length=True, standardise=kind
    )
    x = torch.randn(6, 4)
    here = torch.tensor([True, True, False, True, True, True])
    y = module(x, here)
    assert torch.allclose(y.norm(dim=-1), here.float(), atol=1e-6)


def test_equal_rows_give_equal_scales():
    x = np.random.default_rng(4).standard_cauchy((120_000, 2))
    one, two = scale(x), scale(x)
    assert torch.equal(one.scale, two.scale)
    assert torch.equal(one.mean, two.mean)
