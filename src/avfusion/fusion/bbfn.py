"""One bimodal pair of BBFN: gated cross-attention between audio and video.

Source   Han et al.: "Bi-Bimodal Modality Fusion for Correlation-Controlled Multimodal Sentiment
         Analysis", ICMI 2021, arXiv:2107.13669, and its published code.
Idea     Two gates replace the residual connection. They look at both modalities over the window
         and decide for each feature how much to retain and how much to take from the other.

    X_m^0 = conv_m(x_m), 3 clips wide                   (T, D)    m in {a, v}, o the other
    p_m = W_m mean_t(X_m^0) + w_m                       (D)       in layer 1
    p_m = mean_t BiGRU_m(X_m^(l-1)), mean of directions (D)       in layers 2 … n
    r_m, g_m = sigmoid(R_m [p_m ; p_o]), sigmoid(G_m [p_m ; p_o]) (D) each, R_m, G_m affine
    U_m = g_m * MHA_m(norm X_m asks norm X_o) + r_m * X_m (T, D)  of layer l-1; layers/multihead.py
    X_m^l = U_m + FFN_m(norm U_m)                       (T, D)    4D wide, ReLU
    Y   = [X_v^n ; X_a^n]                               (T, 2D)

Maps     audio, video (B, T, T): the last layer's weights over the other modality's clips;
         retain_audio, take_audio, retain_video, take_video (B, D): its gates.
Masks    An absent clip is no key, enters no mean and stays a row of zeros; the BiGRU reads it.
Departs  The paper joins two such pairs, text-audio and text-video; this is one pair, audio-video.
         It predicts once, from the first row of each stream; we predict from every row, so the
         window is padded for the convolution. Its residual layer before the output is left to the
         head. Its modality discriminator is off in the published code and left out here.
"""

from functools import partial

import torch
from torch import Tensor, nn

from avfusion.fusion.base import Fused, Fusion, Pair
from avfusion.fusion.layers.multihead import MultiHead, check_heads
from avfusion.registry import fusions


@fusions.add("bbfn")
class GatedPair(Fusion):
    """Layers of gated cross-attention in both directions."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        width: int = 40,
        heads: int = 5,
        layers: int = 5,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_heads("bbfn", width, heads)
        self.encode_audio, self.encode_video = (
            nn.Conv1d(dim, width, 3, padding=1, bias=False) for dim in (audio_dim, video_dim)
        )
        self.audio, self.video = (
            nn.ModuleList(_Layer(width, heads, dropout, first=n == 0) for n in range(layers))
            for _ in range(2)
        )
        self.out_dim = 2 * width

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, 2D)."""
        heard, seen = audio_present[..., None], video_present[..., None]  # (B, T, 1)
        x = Pair(self.encode_audio(audio.mT).mT * heard, self.encode_video(video.mT).mT * seen)
        maps: dict[str, Tensor] = {}
        for hear, see in zip(self.audio, self.video, strict=True):
            assert isinstance(hear, _Layer)
            assert isinstance(see, _Layer)
            p_audio, p_video = hear.summary(x.audio, heard), see.summary(x.video, seen)  # (B, D)
            audio, audio_maps = hear(
                x.audio, x.video, audio_present, video_present, (p_audio, p_video)
            )
            video, video_maps = see(
                x.video, x.audio, video_present, audio_present, (p_video, p_audio)
            )
            x = Pair(audio, video)
            maps = dict(zip(("audio", "retain_audio", "take_audio"), audio_maps, strict=True))
            maps |= dict(zip(("video", "retain_video", "take_video"), video_maps, strict=True))
        return Fused(torch.cat([x.video, x.audio], dim=-1), maps)


class _Layer(nn.Module):
    """Cross-attention and gates of one modality in one layer."""

    def __init__(self, width: int, heads: int, dropout: float, *, first: bool) -> None:
        super().__init__()
        self.pooled = nn.Linear(width, width) if first else None
        gru = partial(nn.GRU, batch_first=True, bidirectional=True)
        self.gru = None if first else gru(width, width)
        self.retain, self.take = nn.Linear(2 * width, width), nn.Linear(2 * width, width)
        self.norm, self.norm_ffn = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = MultiHead(width, heads, dropout)
        self.ffn = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )

    def summary(self, x: Tensor, present: Tensor) -> Tensor:
        """p: x (B, T, D), present (B, T, 1) -> (B, D), over the clips that are present."""
        if self.gru is not None:
            x = self.gru(x)[0].unflatten(-1, (2, -1)).mean(-2)  # (B, T, D)
        mean = (x * present).sum(1) / present.sum(1).clamp(min=1)
        return mean if self.pooled is None else self.pooled(mean)

    def forward(
        self,
        x: Tensor,
        other: Tensor,
        present: Tensor,
        other_present: Tensor,
        sums: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """x, other (B, T, D), present of both (B, T), p_m and p_o (B, D) -> X^l, maps."""
        both = torch.cat(sums, dim=-1)  # (B, 2D)
        retain, take = self.retain(both).sigmoid(), self.take(both).sigmoid()  # (B, D)
        heard, weights = self.attention(self.norm(x), self.norm(other), other_present)
        x = take[:, None] * heard + retain[:, None] * x
        x = (x + self.ffn(self.norm_ffn(x))) * present[..., None]
        return x, (weights, retain, take)
