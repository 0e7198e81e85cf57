"""What every fusion answers, and the one block that several share: attention under a mask."""

from typing import NamedTuple

import torch
from torch import Tensor


class Fused(NamedTuple):
    """A fusion's answer for a batch of windows.

    features: (B, T, out_dim), one row a clip, for the regression head.
    maps: attention weights or correlations by name, for figures; empty if there are none.
    """

    features: Tensor
    maps: dict[str, Tensor]


def masked_softmax(scores: Tensor, present: Tensor, axis: int) -> Tensor:
    """Softmax over `axis` among the present entries; where none is present, all weights are 0.

    scores: (...); present: bool, broadcastable to scores.
    """
    least = torch.finfo(scores.dtype).min
    return scores.masked_fill(~present, least).softmax(axis) * present
