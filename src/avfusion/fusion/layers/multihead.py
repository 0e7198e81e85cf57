"""Multi-head attention without residual connection and normalisation.

Source   Vaswani et al.: "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762, section 3.2.

    A^h = softmax(Q^h K^hT / sqrt(D / H)) over keys     (T, S)    h = 1 … H heads
    Y   = [A^1 V^1 ; … A^H V^H] W_o^T + b_o             (T, D)    Q, K, V: linear in D, cut in H

Masks    An absent key gets no weight; where all are absent, Y is 0.
Departs  K has no bias, since it would add the same to every score of a row, to which a softmax is
         invariant. The usual layer has one, D parameters that are never trained.
"""

from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.base import masked_softmax
from avfusion.fusion.layers.init import xavier_linear


class MultiHead(nn.Module):
    """Weighted mean of a source's values for each query, head by head."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.query = xavier_linear(width, width)
        self.key = xavier_linear(width, width, bias=False)
        self.value = xavier_linear(width, width)
        self.out = xavier_linear(width, width)  # W_o, b_o
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, source: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """queries (B, T, D), source (B, S, D), present (B, S) -> (B, T, D), mean A (B, T, S)."""
        q = self._cut(self.query(queries))  # (B, H, T, D/H)
        k, v = self._cut(self.key(source)), self._cut(self.value(source))  # (B, H, S, D/H)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        weights = masked_softmax(scores, present[:, None, None, :], axis=-1)  # (B, H, T, S)
        heads = (self.dropout(weights) @ v).transpose(1, 2).flatten(2)  # (B, T, D)
        some = present.any(-1)[:, None, None]
        return self.out(heads) * some, weights.mean(1)

    def _cut(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def check_heads(fusion: str, width: int, heads: int) -> None:
    """Raise ConfigError if the width cannot be cut into equal heads."""
    if heads < 1 or width % heads:
        raise ConfigError(
            f"{fusion}: width {width} cannot be cut into {heads} heads of equal width. Set a "
            f"`width` that is a multiple of `heads`."
        )
