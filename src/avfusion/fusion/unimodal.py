"""Text alone: what the words say, without how they are said or the face that says them.

Source   The unimodal text row of Rajan et al., ICASSP 2022, arXiv:2202.09263.

    Y = X_t                                             (T, d_t)

Masks    A clip without a word is a row of zeros, as in every fusion.
"""

from torch import Tensor, nn

from avfusion.fusion.base import Fused
from avfusion.registry import fusions


@fusions.add("text")
class TextOnly(nn.Module):
    """The text features as they are; audio and video are not looked at."""

    modalities = ("audio", "video", "text")

    def __init__(self, audio_dim: int, video_dim: int, text_dim: int, *, steps: int) -> None:
        super().__init__()
        self.out_dim = text_dim

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor,
        text_present: Tensor,
    ) -> Fused:
        """text (B, T, Dt) -> features (B, T, Dt)."""
        return Fused(text, {})


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
