"""What every fusion answers, and what those that attend share: the mask and a way to wrap them."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Fused(NamedTuple):
    """A fusion's answer for a batch of windows.

    features: (B, T, out_dim), one row a clip, for the regression head.
    maps: attention weights or correlations by name, for figures; empty if there are none.
    """

    features: Tensor
    maps: Mapping[str, Tensor]


def masked_softmax(scores: Tensor, present: Tensor, axis: int) -> Tensor:
    """Softmax over `axis` among the present entries; where none is present, all weights are 0.

    scores: (...); present: bool, broadcastable to scores.
    """
    least = torch.finfo(scores.dtype).min
    return scores.masked_fill(~present, least).softmax(axis) * present


class Pair(NamedTuple):
    """Both modalities, clip by clip: audio (B, T, Da), video (B, T, Dv)."""

    audio: Tensor
    video: Tensor


class Attended(NamedTuple):
    """What entered an attention, what came out of it in the same widths, and its maps."""

    before: Pair
    after: Pair
    maps: Mapping[str, Tensor]


class Attention(nn.Module):
    """A fusion that attends, then joins; another fusion can gate or repeat what it attended.

    widths: (audio, video), the last axes of `before` and `after`.
    """

    widths: tuple[int, int]
    out_dim: int

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
