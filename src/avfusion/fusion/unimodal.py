"""Unimodal baselines: text only, audio only, video only.

Source   Audio, video: the unimodal rows of Praveen et al., FG 2021, arXiv:2111.05222. Text: the
         unimodal text row of Rajan et al., ICASSP 2022, arXiv:2202.09263.
Idea     Only one modality is read, so a fusion that gains from several scores higher.

    Y = X_t                                             (T, d_t)    X_a and X_v likewise

Masks    A clip without a word, sound or face is a row of zeros, as in every fusion.
"""

from torch import Tensor

from avfusion.fusion.base import Fused, Fusion
from avfusion.registry import fusions


@fusions.add("text")
class TextOnly(Fusion):
    """Text-only baseline: the text features, unchanged."""

    modalities = ("audio", "video", "text")
    reads = ("text",)

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
class AudioOnly(Fusion):
    """Audio-only baseline: the audio features, unchanged."""

    reads = ("audio",)

    def __init__(self, audio_dim: int, video_dim: int, *, steps: int) -> None:
        super().__init__()
        self.out_dim = audio_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da) -> features (B, T, Da)."""
        return Fused(audio, {})


@fusions.add("video")
class VideoOnly(Fusion):
    """Video-only baseline: the video features, unchanged."""

    reads = ("video",)

    def __init__(self, audio_dim: int, video_dim: int, *, steps: int) -> None:
        super().__init__()
        self.out_dim = video_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """video (B, T, Dv) -> features (B, T, Dv)."""
        return Fused(video, {})
