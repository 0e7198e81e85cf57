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

Options  `blstm` adds the BLSTMs of rjca.py: `unimodal` before the attention (on X_m), `joint` after
         it (on Y), or `both`. With `both`, JCA is RJCA with one recursion. The default is `none`,
         as in the papers: it is a control for what memory adds to attention.
Fixes T  W_jm (T, T), W_m (k, T) and W_hm (T, k) act along time: built for one number of `steps`.
Masks    An absent clip is a row of zeros in X_m and J, so it adds nothing to C_m or H_m.
Departs  `encode: 0` leaves out E_m; widths may then differ, and 2D reads d_a + d_v. The
         published code regresses from [x_v ; Y_v] and never uses the attended audio. The paper
         and we regress from [Y_v ; Y_a]; `raw_video: true` gives the published form. The code of
         T-BIOM runs another operator: see dense_joint.py.
"""

from typing import Literal

import torch
from torch import Tensor

from avfusion.errors import ConfigError
from avfusion.fusion.base import Attended, Fused, Pair
from avfusion.fusion.layers.joint import JointAttend
from avfusion.fusion.layers.lazy_maps import Maps
from avfusion.fusion.layers.recurrent import RecurrentAttention
from avfusion.registry import fusions


@fusions.add("jca")
class JointCrossAttention(RecurrentAttention):
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
        blstm: Literal["none", "unimodal", "joint", "both"] = "none",
    ) -> None:
        super().__init__("jca", audio_dim, video_dim, encode=encode, blstm=blstm)
        if raw_video and self.joined:
            raise ConfigError(
                f"jca: `raw_video` leaves out the attended audio, so nothing is joined for `blstm: "
                f"{blstm}`. Set `blstm` to `none` or `unimodal`, or remove `raw_video`."
            )
        self.raw_video = raw_video
        joint = sum(self.widths)
        self.audio = JointAttend(joint, steps, hidden)
        self.video = JointAttend(joint, steps, hidden)
        self.close()
        if raw_video:
            self.out_dim = video_dim + self.widths[1]

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> X_m and Y_m, (B, T, D) each."""
        audio, video = self.enter(audio, video, audio_present, video_present)  # (B, T, D) each
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
