"""Every fusion can be fitted with products of lower precision, and its weights stay float32."""

import pytest
import torch
from torch import nn

from avfusion.config.modalities import with_text
from avfusion.models.model import build
from avfusion.registry import fusions
from avfusion.training.losses import ccc_loss
from avfusion.training.precision import fitted_in, products
from support.fusions import model_settings

STEPS, WIDTHS = 8, (12, 20, 6)
CPU = torch.device("cpu")


def gradients(name: str, precision: str) -> dict[str, torch.Tensor]:
    """Gradients of a scaled loss, without dropout."""
    torch.manual_seed(0)
    text = with_text(name, {})
    widths = WIDTHS if text else WIDTHS[:2]
    settings = model_settings(name, {}, STEPS, train={"dropout": 0.0, "hidden": 16})
    model = fitted_in(build(settings, *widths), precision, CPU)
    draw = torch.Generator().manual_seed(1)
    parts = [torch.randn(4, STEPS, width, generator=draw) for width in widths]
    here = torch.ones(4, STEPS, dtype=torch.bool)
    given = [*parts[:2], here, here, *((parts[2], here) if text else ())]
    with products(CPU, precision):
        prediction, _ = model(*given)
    gold = torch.rand(4, STEPS, 2, generator=draw)
    (1024 * ccc_loss(prediction.float(), gold)).backward()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    return {key: p.grad for key, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", fusions.names())
def test_a_fusion_has_finite_gradients(name, precision):
    found, exact = gradients(name, precision), gradients(name, "float32")
    assert found.keys() == exact.keys()
    assert all(gradient.isfinite().all() for gradient in found.values())
    assert any(gradient.any() for gradient in found.values())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_an_lstm_computes_in_float32_where_less_is_missing(precision):
    plain = nn.LSTM(3, 4, batch_first=True)
    given = torch.randn(2, 5, 3)
    expected = plain(given)[0]
    names = list(plain.state_dict())
    fitted_in(nn.Sequential(plain), precision, CPU)
    assert list(plain.state_dict()) == names
    start = torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)
    with products(CPU, precision):
        found, begun = plain(given)[0], plain(given.half(), start)[0]
    assert torch.equal(found, expected)
    assert begun.dtype == torch.float32


def test_other_models_are_left_as_they_are():
    lstm = nn.LSTM(3, 4)
    for precision, where in (("float32", "cpu"), ("bfloat16", "cuda"), ("float16", "cuda")):
        fitted_in(lstm, precision, torch.device(where))
        assert type(lstm) is nn.LSTM
