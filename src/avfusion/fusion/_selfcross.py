"""What the self- and the cross-attention model of one paper share: all but who is asked.

Source   Rajan, Brutti, Cavallaro: "Is Cross-Attention Preferable to Self-Attention for Multi-Modal
         Emotion Recognition?", ICASSP 2022, arXiv:2202.09263.

    X_m = BiGRU_m(x_m)                                  (T, D)    m in {a, v}, D/2 a direction
    Y_m = the attended X_m                              (T, D)    self_, cross_transformer.py
    Y   = [std(Y_a, Y_v) ; mean(Y_a, Y_v)]              (T, 2D)   with `pool`, feature by feature
    Y   = [Y_v ; Y_a]                                   (T, 2D)   without

         std has n - 1 below: of two vectors it is |Y_a - Y_v| / sqrt(2).
Masks    The BiGRU goes on over an absent clip, a row of zeros, whose X_m is zero again.
"""

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion._multihead import MultiHead, check_heads
from avfusion.fusion.base import Attention, Pair


class SelfCross(Attention):
    """Two encoders, two attentions and the join; `attend` is left to the two models.

    `joins_pooled`: for one label a video, Y_m is averaged over time before the join, as published.
    """

    joins_pooled = True

    def __init__(
        self,
        name: str,
        dims: tuple[int, int],
        *,
        width: int,
        heads: int,
        dropout: float,
        memory: bool,
        pool: bool,
    ) -> None:
        super().__init__()
        check_heads(name, width, heads)
        if memory and width % 2:
            raise ConfigError(f"{name}: width is {width}; set an even one, or `memory: false`.")
        self.encode_audio, self.encode_video = (
            _Memory(dim, width) if memory else nn.Linear(dim, width) for dim in dims
        )
        self.audio = MultiHead(width, heads, dropout)
        self.video = MultiHead(width, heads, dropout)
        self.pool = pool
        self.widths = width, width
        self.out_dim = 2 * width

    def encode(self, audio: Tensor, video: Tensor, heard: Tensor, seen: Tensor) -> Pair:
        """audio (B, T, Da), video (B, T, Dv), heard, seen (B, T) -> X_m, (B, T, D) each."""
        return Pair(
            audio=self.encode_audio(audio) * heard[..., None],
            video=self.encode_video(video) * seen[..., None],
        )

    def join(self, pair: Pair) -> Tensor:
        """[std ; mean] over the two modalities, or [Y_v ; Y_a]; (B, T, 2D)."""
        if not self.pool:
            return super().join(pair)
        apart = (pair.audio - pair.video).abs() / 2**0.5
        return torch.cat([apart, (pair.audio + pair.video) / 2], dim=-1)


class _Memory(nn.Module):
    """x (B, T, inputs) -> both directions of a GRU side by side (B, T, width)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, width // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x)[0]
