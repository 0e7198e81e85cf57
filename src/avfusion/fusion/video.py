"""Video alone: the baseline that a fusion has to beat.

Source   The unimodal rows of Praveen et al., FG 2021, arXiv:2111.05222.

    Y = X_v                                             (T, d_v)

Masks    A clip without a face is a row of zeros, as in every fusion.
"""

from torch import Tensor, nn

from avfusion.fusion.base import Fused
from avfusion.registry import fusions


@fusions.add("video")
class VideoOnly(nn.Module):
    """The video features as they are; audio is not looked at."""

    def __init__(self, audio_dim: int, video_dim: int, *, steps: int) -> None:
        super().__init__()
        self.out_dim = video_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """video (B, T, Dv) -> features (B, T, Dv)."""
        return Fused(video, {})
