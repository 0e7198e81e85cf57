"""Transformer encoder over time, on concatenated features, without attention across modalities.

Source   Vaswani et al.: "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762, section 3.
Idea     A baseline for fusion: each clip can look at every other clip of the window, but no
         modality is compared with another, so it shows how much of a fusion's gain is due to time.

    Z^0 = drop([X_v ; X_a] E^T + e + P)                 (T, D)    D = width
    U^l = Z^(l-1) + drop(MHA(norm Z^(l-1)))             (T, D)    l = 1 … layers
    Z^l = U^l + drop(FFN(norm U^l))                     (T, D)    FFN: `feedforward` wide, GELU
    Y   = norm(Z^layers)                                (T, D)

         P (T, D) holds sines in even and cosines in odd columns, of t / 10000^(2j/D) for pair j.
         No weight depends on the length of a window.
Options  `width`, `heads`, `layers`, `feedforward` and `dropout`. `modalities` as in concat.py.
Masks    A clip where all modalities are absent is masked as a key, but not as a query. If the
         window has no other clips, Y is 0.
Init     Matrices are Xavier-uniform, each layer's own; biases of E and of FFN are PyTorch's.
Departs  Norms come before the attention and FFN and once at the end, and FFN has a GELU, as is
         usual in small models; the paper has norms after them and a ReLU. It adds P to embeddings
         times sqrt(D); E is not scaled here. 2 layers of 128 instead of 6 of 512.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.layers.multihead import check_heads
from avfusion.fusion.layers.over_time import OverTime
from avfusion.registry import fusions


@fusions.add("transformer")
class TemporalTransformer(OverTime):
    """Transformer encoder over the clips of a window."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video"),
        width: int = 128,
        heads: int = 4,
        layers: int = 2,
        feedforward: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__("transformer", modalities, audio_dim, video_dim, text_dim)
        check_heads("transformer", width, heads)
        if min(layers, feedforward) < 1:
            raise ConfigError(
                f"transformer: layers is {layers}, feedforward {feedforward}; set 1 or more each."
            )
        self.encode = nn.Linear(self.inputs, width)  # E, e
        layer = nn.TransformerEncoderLayer(
            *(width, heads, feedforward, dropout),
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        last = nn.LayerNorm(width)
        self.layers = nn.TransformerEncoder(layer, layers, norm=last, enable_nested_tensor=False)
        for p in self.parameters():  # PyTorch copies one layer, so all would start the same
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)
        self.dropout = nn.Dropout(dropout)
        self.out_dim = width

    def model(self, x: Tensor, present: Tensor) -> Tensor:
        """x (B, T, d), present (B, T) -> (B, T, width)."""
        some = present.any(-1, keepdim=True)  # (B, 1)
        x = self.dropout(self.encode(x) + places(x.shape[1], self.out_dim, x))
        # PyTorch gives NaN where all keys are masked; such a window is computed, then set to 0.
        y = self.layers(x, src_key_padding_mask=~present & some)
        return y * some[..., None]


def places(steps: int, width: int, like: Tensor) -> Tensor:
    """Return P (T, D), of the type and on the device of `like`."""
    step = torch.arange(steps, device=like.device, dtype=torch.float64)[:, None]
    pair = torch.arange(0, width, 2, device=like.device, dtype=torch.float64)
    angle = step * torch.exp(-math.log(10000.0) / width * pair)  # (T, ceil(D / 2))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width].to(like)
