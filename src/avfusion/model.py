"""The whole regressor of one run: standardise each modality, fuse, regress."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.heads import build_head
from avfusion.modalities import MODALITIES
from avfusion.rating import Rating
from avfusion.registry import fusions


class Model(nn.Module):
    """Standardise -> fusion -> head; what a run's best.safetensors holds the weights of."""

    def __init__(self, fusion: nn.Module, head: nn.Module, *dims: int) -> None:
        super().__init__()
        for modality, width in zip(MODALITIES, dims, strict=False):
            self.add_module(modality, Standardise(width))
        self.fusion = fusion
        self.head = head

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """audio (B, T, Da), video (B, T, Dv), present (B, T), perhaps text (B, T, Dt) and its
        presence -> (B, T, K) and the fusion's maps."""
        audio = self.audio(audio, audio_present)
        video = self.video(video, video_present)
        given = (audio, video, audio_present, video_present)
        if text is not None and text_present is not None:
            given = (*given, self.text(text, text_present), text_present)
        fused = self.fusion(*given)
        return self.head(fused.features), fused.maps


class Standardise(nn.Module):
    """Each feature to mean 0 and deviation 1 over the train partition; absent rows to 0."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def measure(self, rows: Tensor) -> None:
        """Take mean and deviation from the present rows (N, width) of the train partition."""
        if len(rows) == 0:
            return
        deviation, mean = torch.std_mean(rows.float(), 0, correction=0)
        constant = deviation <= 1e-6 * rows.abs().amax(0).clamp(min=1e-6)
        self.mean.copy_(mean)
        self.scale.copy_(deviation.masked_fill(constant, 1.0))

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """x (..., width) with anything in absent rows, present (...) -> (..., width), finite."""
        return ((x - self.mean) / self.scale).where(present[..., None], 0)


def build(own: dict[str, Any], *dims: int) -> Model:
    """The model of a run's settings (`Study.run_settings`), freshly initialised.

    dims: widths of audio and video, and of text where the fusion reads text. A fusion whose
    constructor has `outputs` is told how many targets there are.
    """
    steps, train, names = own["windows"]["clips"], own["train"], Rating.of(own).names
    fused = fusions.get(own["class"])
    wants = "outputs" in inspect.signature(fused).parameters
    more = {"outputs": len(names)} if wants else {}
    fusion = fused(*dims, steps=steps, **more, **own["options"])
    kind = train.get("head", "regressor")
    head = build_head(kind, fusion.out_dim, train["hidden"], train["dropout"], names)
    return Model(fusion, head, *dims)
