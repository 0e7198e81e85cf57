"""Joint cross-attention (JCA).

Source   Praveen et al.: "A Joint Cross-Attention Model for Audio-Visual Fusion in Dimensional
         Emotion Recognition", CVPR Workshops 2022, arXiv:2203.14779; extended in T-BIOM 2023,
         arXiv:2209.09068.
Idea     Each modality is compared with the audio-visual concatenation J instead of only the other
         modality, so relations within and between modalities are weighed together.

    X_m = E_m x_m + e_m                                 (T, D)    m in {a, v}, D = encode
    J   = [X_a ; X_v]                                   (T, 2D)
    C_m = tanh(X_m^T W_jm J / sqrt(2D))                 (D, 2D)   feature x joint feature
    H_m = relu(X_m^T W_m^T + C_m W_cm^T)                (D, k)    k = hidden
    Y_m = (H_m W_hm^T)^T + X_m                          (T, D)
    Y   = [Y_v ; Y_a]                                   (T, 2D)

Fixes T  W_jm (T, T), W_m (k, T) and W_hm (T, k) act along time: built for one number of `steps`.
Masks    An absent clip is a row of zeros in X_m and J, so it adds nothing to C_m or H_m.
Departs  `encode: 0` leaves out E_m; widths may then differ, and 2D reads d_a + d_v. The
         published code regresses from [x_v ; Y_v] and never uses the attended audio. The paper
         and we regress from [Y_v ; Y_a]; `raw_video: true` gives the published form.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from avfusion.fusion.base import Attended, Attention, Fused, Pair
from avfusion.fusion.layers.correlation import attend, correlations
from avfusion.fusion.layers.lazy_maps import Maps
from avfusion.registry import fusions


@fusions.add("jca")
class JointCrossAttention(Attention):
    """Joint cross-attention: attention by correlation with the joint features."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        hidden: int = 32,
        encode: int = 128,
        raw_video: bool = False,
    ) -> None:
        super().__init__()
        self.encode_audio = nn.Linear(audio_dim, encode) if encode else nn.Identity()
        self.encode_video = nn.Linear(video_dim, encode) if encode else nn.Identity()
        self.widths = (encode, encode) if encode else (audio_dim, video_dim)
        self.raw_video = raw_video
        joint = sum(self.widths)
        self.audio = JointAttend(joint, steps, hidden)
        self.video = JointAttend(joint, steps, hidden)
        self.out_dim = video_dim + self.widths[1] if raw_video else joint

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> X_m and Y_m, (B, T, D) each."""
        audio = self.encode_audio(audio) * audio_present[..., None]  # (B, T, D)
        video = self.encode_video(video) * video_present[..., None]  # (B, T, D)
        joint = torch.cat([audio, video], dim=-1)  # (B, T, 2D)
        after_audio, audio_map = self.audio(audio, joint)
        after_video, video_map = self.video(video, joint)
        maps = Maps(audio=audio_map, video=video_map)
        return Attended(Pair(audio, video), Pair(after_audio, after_video), maps)

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, out_dim)."""
        if not self.raw_video:
            return super().forward(audio, video, audio_present, video_present)
        attended = self.attend(audio, video, audio_present, video_present)
        return Fused(torch.cat([video, attended.after.video], dim=-1), attended.maps)


class JointAttend(nn.Module):
    """C, H and Y of one modality; the linear maps have no bias, as in the paper."""

    def __init__(self, joint: int, steps: int, hidden: int) -> None:
        super().__init__()
        self.mix = nn.Linear(steps, steps, bias=False)  # W_j
        self.from_map = nn.Linear(joint, hidden, bias=False)  # W_c
        self.from_self = nn.Linear(steps, hidden, bias=False)  # W_m
        self.back = nn.Linear(hidden, steps, bias=False)  # W_h

    def forward(self, x: Tensor, joint: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        """x (B, T, D), joint (B, T, 2D) -> attended (B, T, D), correlations C (B, D, 2D)."""
        mixed = self.mix(joint.mT).mT / joint.shape[-1] ** 0.5  # (B, T, 2D)
        from_map = attend(x.mT, mixed, self.from_map.weight.T)  # C W_c^T (B, D, k)
        h = torch.relu(self.from_self(x.mT) + from_map)  # (B, D, k)
        return self.back(h).mT + x, partial(correlations, x.mT, mixed)
