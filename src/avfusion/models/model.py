"""Model of one run: standardise each modality, fuse, then regress or classify."""

import inspect
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from avfusion.config.jobs import RunSettings
from avfusion.config.modalities import MODALITIES
from avfusion.fusion.base import PooledJoin
from avfusion.models.heads import build_head
from avfusion.registry import fusions


class Model(nn.Module):
    """Standardisation, fusion and head; a run's best.safetensors holds its weights."""

    audio: "Standardise"
    video: "Standardise"
    text: "Standardise"
    """Only if the fusion reads text."""

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
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Predict a batch of windows.

        Parameters
        ----------
        audio, video, text
            Features (B, T, Da), (B, T, Dv) and (B, T, Dt); anything in absent rows.
        audio_present, video_present, text_present
            Which steps are present (B, T).

        Returns
        -------
        tuple
            Predictions (B, T, K) and the fusion's maps by name.
        """
        inputs: tuple[Tensor, ...] = (audio, video, audio_present, video_present)
        if text is not None and text_present is not None:
            inputs = (*inputs, text, text_present)
        fused = self.fusion(*self.standardised(*inputs))
        return self.head(fused.features), fused.maps

    def standardised(
        self, audio: Tensor, video: Tensor, heard: Tensor, seen: Tensor, *text: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the arguments of `forward` with each modality standardised."""
        both = (self.audio(audio, heard), self.video(video, seen), heard, seen)
        return (*both, self.text(*text), text[1]) if text else both


class ClassModel(Model):
    """As `Model`, but the head gets one row per video: the mean over its present steps.

    A video is one window or several. If a fusion `joins_pooled`, each modality is averaged over its
    own present steps before the modalities are joined, as in SelfCrossAttn (arXiv:2202.09263).
    """

    def classify(self, inputs: tuple[Tensor, ...], used: Tensor, owner: Tensor) -> Tensor:
        """Return the logits of each video.

        Parameters
        ----------
        inputs
            The arguments of `forward`.
        used
            Steps that count (B, T).
        owner
            Index of each window's video (B,), 0 … V-1.

        Returns
        -------
        torch.Tensor
            Logits (V, K).
        """
        inputs = self.standardised(*inputs)
        heard, seen, *other = *inputs[2:4], *inputs[5:6]
        if getattr(self.fusion, "joins_pooled", False):
            fusion = cast(PooledJoin, self.fusion)
            present = dict(zip(MODALITIES, (heard, seen, *other), strict=False))
            rows = dict(zip(MODALITIES, (*inputs[:2], *inputs[4:5]), strict=False))
            _, attended, _ = fusion.attend_all(rows, present)
            pooled = {
                key: mean_of(y, present[fusion.attends[key][0]] & used, owner)
                for key, y in attended.items()
            }
            return self.head(fusion.joined(pooled))
        some = torch.stack([heard, seen, *other]).any(0)
        features = self.fusion(*inputs).features
        return self.head(mean_of(features, some & used, owner))


def mean_of(x: Tensor, counts: Tensor, owner: Tensor) -> Tensor:
    """Return the mean of x (B, T, W) over each owner's steps that count (B, T): (V, W).

    An owner without such steps gets 0.
    """
    index = torch.arange(int(owner.max()) + 1, device=owner.device)
    windows = (owner == index[:, None]).to(x.dtype)  # (V, B)
    total = windows @ (x * counts[..., None]).sum(1)
    return total / (windows @ counts.sum(1).to(x.dtype)).clamp(min=1)[:, None]


class Standardise(nn.Module):
    """Scale each feature to mean 0 and deviation 1 over the train partition; absent rows to 0."""

    mean: Tensor
    scale: Tensor

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


def build(settings: RunSettings, *dims: int) -> Model:
    """Return the model of a run, freshly initialised.

    Parameters
    ----------
    settings
        Settings of the run, with the targets or classes of the corpus.
    dims
        Widths of audio and video, and of text if the fusion reads text.

    Returns
    -------
    Model
        A `ClassModel` if the task is classes. A fusion whose constructor has `outputs` gets the
        number of targets or classes.
    """
    train, names = settings.train, settings.outputs
    fusion_class = fusions.get(settings.class_)
    derived = {}
    if "outputs" in inspect.signature(fusion_class).parameters:
        derived["outputs"] = len(names)
    fusion = fusion_class(*dims, steps=settings.windows.clips, **derived, **settings.options)
    head = build_head(train.head, fusion.out_dim, train.hidden, train.dropout, names)
    model = ClassModel if settings.task == "classes" else Model
    return model(fusion, head, *dims)
