"""Graph attention: every node takes a weighted mean of its neighbours.

Source   Velickovic et al.: "Graph Attention Networks", ICLR 2018, arXiv:1710.10903, eq. 1 to 5.

    H^l = X W^l                                         (N, k)    l = 1 … n heads, k = outputs / n
    S^l_ij = leaky(b^l [H^l_i ; H^l_j])                 (N, N)    slope 0.2
    Y   = [softmax(S^1) H^1 ; … softmax(S^n) H^n]       (N, nk)   over the neighbours j of i

Masks    A node without neighbours gets a row of zeros.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avfusion.fusion.base import masked_softmax
from avfusion.fusion.layers.init import xavier_linear

SLOPE = 0.2
"""Of the leaky ReLU below 0."""


class GraphAttention(nn.Module):
    """Multi-head graph attention without activation."""

    def __init__(self, inputs: int, outputs: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.transform = xavier_linear(inputs, outputs, bias=False)  # W
        self.asks, self.asked = (nn.Parameter(torch.empty(heads, outputs // heads)) for _ in "ij")
        for half in (self.asks, self.asked):  # b
            nn.init.xavier_uniform_(half)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, linked: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, N, D), linked (B, N, N) of i and j -> (B, N, outputs), mean weights (B, N, N)."""
        h = self.transform(x).unflatten(-1, self.asks.shape).transpose(1, 2)  # (B, n, N, k)
        first, second = h @ self.asks[..., None], h @ self.asked[..., None]  # (B, n, N, 1)
        scores = F.leaky_relu(first + second.mT, SLOPE)  # (B, n, N, N)
        weights = masked_softmax(scores, linked[:, None], axis=-1)
        return (self.dropout(weights) @ h).transpose(1, 2).flatten(2), weights.mean(1)
