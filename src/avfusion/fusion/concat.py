"""Feature concatenation: the fusion without an idea, which attention has to beat.

Source   "Feature concatenation" of Praveen et al., FG 2021, arXiv:2111.05222.

    Y = [X_v ; X_a]                                     (T, d_v + d_a)

Departs  Their features are scaled to unit length; ours are standardised, as for every fusion.
"""

import torch
from torch import Tensor, nn

from avfusion.fusion.base import Fused
from avfusion.registry import fusions


@fusions.add("concat")
class Concatenation(nn.Module):
    """Both modalities side by side, clip by clip."""

    def __init__(self, audio_dim: int, video_dim: int, *, steps: int) -> None:
        super().__init__()
        self.out_dim = audio_dim + video_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv) -> features (B, T, Dv + Da)."""
        return Fused(torch.cat([video, audio], dim=-1), {})
