"""The interface of a fusion, and what fusions with attention share."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from avfusion.fusion.layers.lazy_maps import Maps


class Fused(NamedTuple):
    """Output of a fusion for a batch of windows.

    features: (B, T, out_dim), one row per clip, for the head.
    maps: attention weights or correlations by name, for figures; empty if there are none.
    """

    features: Tensor
    maps: Mapping[str, Tensor]


class Fusion(nn.Module):
    """Base of all fusions.

    A fusion is a class under `@fusions.add("name")`. Keyword-only arguments of its constructor with
    a default are its options in the config.

    Parameters
    ----------
    audio_dim, video_dim
        Widths of the features. A fusion that reads text has `text_dim` as the third.
    steps
        Clips in a window, T; keyword only.
    outputs
        Number of targets or classes, K; keyword only, passed if the constructor has it.

    Attributes
    ----------
    out_dim
        Width of the fused features.
    modalities
        Class attribute or option; only if the fusion reads anything but audio and video.
    reads
        Class attribute; only if the fusion does not read all modalities that it gets.
    closed_form
        Class attribute, `True` for a linear model: the features are followed by one linear layer
        that ridge regression solves (`avfusion.runs.ridge`). The class has no weights to learn.

    Notes
    -----
    `forward(audio, video, audio_present, video_present)` gets standardised features (B, T, Da) and
    (B, T, Dv), zero in absent rows, and boolean masks (B, T). If the fusion reads text, text
    (B, T, Dt) and its mask follow. It returns a `Fused`.

    A fusion with a method `auxiliary_loss` adds a term to the loss of its runs (`HasLoss`).
    """

    out_dim: int


class HasLoss(Protocol):
    """Interface of a fusion that adds a term to the loss of a run."""

    def auxiliary_loss(self, *inputs: Tensor) -> Tensor:
        """Return the term, a scalar with gradient; inputs: the arguments of `forward`.

        It is called once per batch of training and may draw from PyTorch's own generator.
        """
        ...


class PooledJoin(Protocol):
    """Interface of a fusion with `joins_pooled = True`, used where a video has one label.

    Each modality is averaged over time before the join.
    """

    attends: Mapping[str, tuple[str, str]]
    """Attention -> (modality of the queries, modality of the keys)."""

    def attend_all(
        self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """Return encoded modalities, attended features by attention (B, T, D), and maps."""
        ...

    def joined(self, y: Mapping[str, Tensor]) -> Tensor:
        """Join attended features (..., D) by attention to (..., out_dim)."""
        ...


def by_modality(
    audio: Tensor,
    video: Tensor,
    audio_present: Tensor,
    video_present: Tensor,
    text: Tensor | None = None,
    text_present: Tensor | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the features and the masks that `forward` gets, by modality."""
    inputs, masks = (
        {"audio": audio, "video": video},
        {"audio": audio_present, "video": video_present},
    )
    if text is not None and text_present is not None:
        inputs["text"], masks["text"] = text, text_present
    return inputs, masks


def masked_softmax(scores: Tensor, present: Tensor, axis: int) -> Tensor:
    """Return the softmax over present entries; if none is present, all weights are 0.

    Parameters
    ----------
    scores
        Any shape.
    present
        Boolean mask, broadcastable to `scores`.
    axis
        Axis of the softmax.
    """
    least = torch.finfo(scores.dtype).min
    return scores.masked_fill(~present, least).softmax(axis) * present


class Pair(NamedTuple):
    """Both modalities, clip by clip: audio (B, T, Da), video (B, T, Dv)."""

    audio: Tensor
    video: Tensor


class Attended(NamedTuple):
    """Input and output of an attention, of the same widths, and its maps."""

    before: Pair
    after: Pair
    maps: Maps


class Attention(Fusion):
    """Base of fusions that attend, then join; other fusions can gate or repeat the attention.

    Attributes
    ----------
    widths
        Widths of audio and video in `before` and `after`.
    """

    widths: tuple[int, int]

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> widths, before and after."""
        raise NotImplementedError

    def join(self, pair: Pair) -> Tensor:
        """[X_v ; X_a], (B, T, out_dim)."""
        return torch.cat([pair.video, pair.audio], dim=-1)

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, out_dim)."""
        attended = self.attend(audio, video, audio_present, video_present)
        return Fused(self.join(attended.after), attended.maps)
