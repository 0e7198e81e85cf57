"""Self-attention: the equations of CA, with each modality in place of the other.

Source   "Self-attention" row of Praveen et al., FG 2021, arXiv:2111.05222, which gives no
         equations; these are CA's (see ca.py).
Idea     Each modality is weighed by its affinity to itself, so gains over it come from crossing.

    Z_m = X_m W_m X_m^T                                 (T, T)    clip i vs clip j, m in {a, v}
    A_m = softmax of Z_m over i                         (T, T)    each column sums to 1
    Y_m = tanh(X_m + A_m^T X_m)                         (T, d_m)
    Y   = [Y_v ; Y_a]                                   (T, d_v + d_a)

Masks    An absent clip gets no weight; if all are absent, A_m^T X_m is 0.
Init     W_m is Xavier-normal.
Departs  `unit_length` divides each clip by its length only in Z_m, as in CA.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avfusion.fusion.base import Attended, Attention, Pair, masked_softmax
from avfusion.fusion.layers.lazy_maps import Maps
from avfusion.registry import fusions


@fusions.add("self_attention")
class SelfAttention(Attention):
    """Self-attention: weights over a modality's clips from their affinity to each other."""

    def __init__(
        self, audio_dim: int, video_dim: int, *, steps: int, unit_length: bool = True
    ) -> None:
        super().__init__()
        self.audio = _Attend(audio_dim, unit_length)
        self.video = _Attend(video_dim, unit_length)
        self.widths = audio_dim, video_dim
        self.out_dim = audio_dim + video_dim

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> the same, before and after."""
        after_audio, audio_map = self.audio(audio, audio_present)
        after_video, video_map = self.video(video, video_present)
        maps = Maps(audio=audio_map, video=video_map)
        return Attended(Pair(audio, video), Pair(after_audio, after_video), maps)


class _Attend(nn.Module):
    """One modality's Z, A and Y."""

    def __init__(self, width: int, unit_length: bool) -> None:
        super().__init__()
        self.unit_length = unit_length
        self.affinity = nn.Parameter(torch.empty(width, width))  # W
        nn.init.xavier_normal_(self.affinity)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, D), present (B, T) -> attended (B, T, D), weights (B, T, T)."""
        direction = F.normalize(x, dim=-1) if self.unit_length else x
        z = direction @ self.affinity @ direction.mT  # (B, T, T)
        weights = masked_softmax(z, present[:, :, None], axis=1)
        return torch.tanh(x + weights.mT @ x), weights
