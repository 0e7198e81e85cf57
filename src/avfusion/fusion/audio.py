"""Audio alone: the baseline that a fusion has to beat.

Source   The unimodal rows of Praveen et al., FG 2021, arXiv:2111.05222.

    Y = X_a                                             (T, d_a)

Masks    A clip without audio is a row of zeros, as in every fusion.
"""

from torch import Tensor, nn

from avfusion.fusion.base import Fused
from avfusion.registry import fusions


@fusions.add("audio")
class AudioOnly(nn.Module):
    """The audio features as they are; video is not looked at."""

    def __init__(self, audio_dim: int, video_dim: int, *, steps: int) -> None:
        super().__init__()
        self.out_dim = audio_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da) -> features (B, T, Da)."""
        return Fused(audio, {})
