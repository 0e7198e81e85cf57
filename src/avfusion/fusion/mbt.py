"""Multimodal bottleneck transformer (MBT): modalities interact only through shared tokens.

Source   Nagrani et al.: "Attention Bottlenecks for Multimodal Fusion", NeurIPS 2021,
         arXiv:2107.00135, and its published code.
Idea     Attention between all clips of both modalities is expensive and redundant. A few
         bottleneck tokens force each modality to condense what the other needs.

    Z_m^0 = E_m x_m + e_m + P_m                         (T, D)    m in {a, v}, P_m: places in time
    Z_m^l = block_m^l(Z_m^(l-1))                        (T, D)    l = 1 … f, f = fuse_from
    [Z_m^l ; B_m] = block_m^l([Z_m^(l-1) ; B^(l-1)])    (T+n, D)  l = f+1 … layers
    B^l   = (B_a + B_v) / 2                             (n, D)    n = bottlenecks, B^f learned
    Y     = [norm(Z_v) ; norm(Z_a)]                     (T, 2D)   after the last block

         block(X) = U + MLP(norm U), U = X + MHA(norm X asks norm X); MLP: 4D wide, GELU by tanh.
         MHA: layers/multihead.py. The other modality's B^l is first read in block f+2, so one
         block after f would fuse nothing and is refused.
Fixes T  P_m has one row per clip of a window of `steps`.
Maps     audio, video (B, T, T+n): the last block's weights over m's clips, then the bottlenecks.
Masks    An absent clip enters as its position, masked as a key, not as a query. B is never masked.
Departs  12 blocks of 768, fused from the 9th and pre-trained on images, became 4 of 64, fused from
         the 3rd. A token is a clip instead of a patch, and keeps its own row where the paper
         averages. `dropout` replaces its stochastic depth.
"""

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.base import Fused, Fusion
from avfusion.fusion.layers.multihead import MultiHead, check_heads
from avfusion.registry import fusions

EPS = 1e-6  # in the published code, which is written in JAX; PyTorch has 1e-5


@fusions.add("mbt")
class BottleneckTransformer(Fusion):
    """Two transformers that share n bottleneck tokens from a middle layer on."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        width: int = 64,
        heads: int = 4,
        layers: int = 4,
        fuse_from: int = 2,
        bottlenecks: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_heads("mbt", width, heads)
        if not 0 <= fuse_from <= layers - 2 or bottlenecks < 1:
            raise ConfigError(
                f"mbt: fuse_from is {fuse_from}, layers {layers}, bottlenecks {bottlenecks}; the "
                f"modalities meet only with 1 bottleneck or more in 2 layers after fuse_from."
            )
        self.audio = _Stream(audio_dim, steps, width, heads, layers, dropout)
        self.video = _Stream(video_dim, steps, width, heads, layers, dropout)
        self.shared = nn.Parameter(0.02 * torch.randn(bottlenecks, width))  # B^f
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.fuse_from, self.out_dim = fuse_from, 2 * width

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, 2D)."""
        audio = self.audio.enter(audio, audio_present)
        video = self.video.enter(video, video_present)
        shared = self.shared.new_empty(audio.shape[0], 0, self.shared.shape[-1])  # (B, 0, D)
        blocks = zip(self.audio.blocks, self.video.blocks, strict=True)
        for number, (hear, see) in enumerate(blocks):
            if number == self.fuse_from:
                shared = self.shared.expand(audio.shape[0], -1, -1)  # (B, n, D)
            audio, of_audio, audio_map = hear(audio, shared, audio_present)
            video, of_video, video_map = see(video, shared, video_present)
            shared = (of_audio + of_video) / 2
        features = self.norm(torch.cat([video, audio], dim=1)).chunk(2, dim=1)  # 2 of (B, T, D)
        return Fused(torch.cat(features, dim=-1), {"audio": audio_map, "video": video_map})


class _Stream(nn.Module):
    """Input projection and blocks of one modality."""

    def __init__(
        self, inputs: int, steps: int, width: int, heads: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.encode = nn.Linear(inputs, width)  # E, e
        self.place = nn.Parameter(0.02 * torch.randn(steps, width))  # P
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))

    def enter(self, x: Tensor, present: Tensor) -> Tensor:
        """x (B, T, inputs), present (B, T) -> Z^0 (B, T, D)."""
        return self.encode(x) * present[..., None] + self.place


class Block(nn.Module):
    """A pre-norm transformer block over a modality's clips and the shared tokens."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        wide = 4 * width
        self.norm, self.norm_mlp = (nn.LayerNorm(width, eps=EPS) for _ in range(2))
        self.attention = MultiHead(width, heads, dropout)
        self.mlp = nn.Sequential(
            nn.Linear(width, wide), nn.GELU("tanh"), nn.Dropout(dropout), nn.Linear(wide, width)
        )

    def forward(self, z: Tensor, shared: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z (B, T, D), shared (B, n, D), present (B, T) -> both, and weights (B, T, T+n)."""
        steps = z.shape[1]
        x = torch.cat([z, shared], dim=1)  # (B, T+n, D)
        mask = torch.cat([present, present.new_ones(shared.shape[:2])], dim=1)  # (B, T+n)
        attended, weights = self.attention(scaled := self.norm(x), scaled, mask)
        x = x + attended
        x = x + self.mlp(self.norm_mlp(x))
        return x[:, :steps], x[:, steps:], weights[:, :steps]
