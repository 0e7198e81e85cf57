"""Base of the fusions that concatenate the modalities and then model time."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from avfusion.config.modalities import ordered
from avfusion.fusion.base import Fused, Fusion, by_modality


class OverTime(Fusion):
    """Concatenate the modalities clip by clip, then apply `model` over the clips of a window."""

    def __init__(
        self, fusion: str, modalities: Any, audio_dim: int, video_dim: int, text_dim: int
    ) -> None:
        super().__init__()
        self.modalities = ordered(fusion, modalities)
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        self.inputs = sum(dims[m] for m in self.modalities)

    @abstractmethod
    def model(self, x: Tensor, present: Tensor) -> Tensor:
        """Return Y (B, T, out_dim).

        x: X (B, T, inputs), present (B, T): whether any modality is present.
        """

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), text (B, T, Dt), present (B, T) -> (B, T, out)."""
        inputs, masks = by_modality(audio, video, audio_present, video_present, text, text_present)
        names = [m for m in ("video", "audio", "text") if m in self.modalities]
        present = torch.stack([masks[m] for m in names]).any(0)
        return Fused(self.model(torch.cat([inputs[m] for m in names], dim=-1), present), {})
