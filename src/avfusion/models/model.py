"""The whole model of one run: standardise each modality, fuse, regress or classify."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.config.modalities import MODALITIES
from avfusion.models.heads import build_head
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
        given = (audio, video, audio_present, video_present)
        if text is not None and text_present is not None:
            given = (*given, text, text_present)
        fused = self.fusion(*self.standardised(*given))
        return self.head(fused.features), fused.maps

    def standardised(
        self, audio: Tensor, video: Tensor, heard: Tensor, seen: Tensor, *text: Tensor
    ) -> tuple[Tensor, ...]:
        """What `forward` is given, each modality standardised; text and its presence come last."""
        both = (self.audio(audio, heard), self.video(video, seen), heard, seen)
        return (*both, self.text(*text), text[1]) if text else both


class ClassModel(Model):
    """As `Model`, but the head sees one row a video: the mean over its present steps.

    A video is one window or several; `owner` says whose each is. Where a fusion `joins_pooled`,
    each modality is averaged over its own present steps before the modalities are joined, which
    is the order of SelfCrossAttn (arXiv:2202.09263).
    """

    def classify(self, given: tuple[Tensor, ...], used: Tensor, owner: Tensor) -> Tensor:
        """given as `forward` takes it, used (B, T), owner (B,) in 0 … V-1 -> logits (V, K)."""
        given = self.standardised(*given)
        heard, seen, *other = *given[2:4], *given[5:6]
        if getattr(self.fusion, "joins_pooled", False):
            there = dict(zip(MODALITIES, (heard, seen, *other), strict=False))
            rows = dict(zip(MODALITIES, (*given[:2], *given[4:5]), strict=False))
            _, found, _ = self.fusion.answers(rows, there)
            asks = self.fusion.asks
            pooled = {k: _mean_of(y, there[asks[k][0]] & used, owner) for k, y in found.items()}
            return self.head(self.fusion.joined(pooled))
        there = torch.stack([heard, seen, *other]).any(0)
        features = self.fusion(*given).features
        return self.head(_mean_of(features, there & used, owner))


def _mean_of(x: Tensor, counts: Tensor, owner: Tensor) -> Tensor:
    """Mean of x (B, T, W) over the steps that count (B, T) of each owner: (V, W); 0 of none."""
    number = torch.arange(int(owner.max()) + 1, device=owner.device)
    whose = (owner == number[:, None]).to(x.dtype)  # (V, B)
    total = whose @ (x * counts[..., None]).sum(1)
    return total / (whose @ counts.sum(1).to(x.dtype)).clamp(min=1)[:, None]


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
    steps, train = own["windows"]["clips"], own["train"]
    names = own.get("classes") or Rating.of(own).names
    fused = fusions.get(own["class"])
    wants = "outputs" in inspect.signature(fused).parameters
    more = {"outputs": len(names)} if wants else {}
    fusion = fused(*dims, steps=steps, **more, **own["options"])
    kind = train.get("head", "regressor")
    head = build_head(kind, fusion.out_dim, train["hidden"], train["dropout"], names)
    whole = ClassModel if own.get("task") == "classes" else Model
    return whole(fusion, head, *dims)
