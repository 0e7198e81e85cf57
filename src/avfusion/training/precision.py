"""Products of lower precision while a model is fitted; weights, sums and loss stay float32."""

from typing import Any, Literal

import torch
from torch import nn

Precision = Literal["float32", "bfloat16", "float16"]

KINDS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def products(where: torch.device, precision: Precision) -> torch.autocast:
    """Return a context in which products have the precision; no effect with float32."""
    lowered = precision in KINDS
    return torch.autocast(where.type, KINDS.get(precision, torch.bfloat16), enabled=lowered)


def fitted_in(model: nn.Module, precision: Precision, where: torch.device) -> nn.Module:
    """Return the model, changed so that each of its layers can be fitted in the precision.

    On the CPU, PyTorch 2.11 cannot train an LSTM in float16 ("could not create a primitive
    descriptor"), nor in bfloat16 without AVX-512, so LSTMs compute in float32 there. Names of
    weights stay.
    """
    if precision != "float32" and where.type == "cpu":
        for layer in model.modules():
            if type(layer) is nn.LSTM:
                layer.__class__ = _LSTM
    return model


class _LSTM(nn.LSTM):
    """An LSTM that computes in the precision of its weights under autocast too."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        kind = self.weight_ih_l0.dtype
        start = None if hx is None else tuple(part.to(kind) for part in hx)
        with torch.autocast("cpu", enabled=False):
            plain: Any = super()  # mypy cannot read PyTorch's overloads of `forward`
            return plain.forward(input.to(kind), start)
