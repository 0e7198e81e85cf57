"""Feature concatenation, the baseline for attention-based fusion.

Source   "Feature concatenation" of Praveen et al., FG 2021, arXiv:2111.05222.

    Y = [X_v ; X_a]                                     (T, d_v + d_a)

Options  `modalities: [audio, video, text]` appends X_t; any subset of the three is allowed.
Departs  Their features are scaled to unit length; ours are standardised, as for every fusion.
"""

from typing import Any

import torch
from torch import Tensor

from avfusion.config.modalities import ordered
from avfusion.fusion.base import Fused, Fusion
from avfusion.registry import fusions


@fusions.add("concat")
class Concatenation(Fusion):
    """Concatenate the modalities, clip by clip."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video"),
    ) -> None:
        super().__init__()
        self.modalities = ordered("concat", modalities)
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        self.out_dim = sum(dims[m] for m in self.modalities)

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), text (B, T, Dt) -> features (B, T, Dv + Da + Dt)."""
        parts = {"video": video, "audio": audio, "text": text}
        kept = [part for m, part in parts.items() if m in self.modalities and part is not None]
        return Fused(torch.cat(kept, dim=-1), {})
