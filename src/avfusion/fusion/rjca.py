"""Recursive joint cross-attention (RJCA): repeated JCA with BLSTMs before and after.

Source   Praveen, Granger, Cardinal: "Recursive Joint Attention for Audio-Visual Fusion in
         Regression based Emotion Recognition", ICASSP 2023, arXiv:2304.07958.
Idea     The attended features are compared again with their joint representation, so that each
         pass refines the previous one.

    X_m^(0) = BLSTM_m(E_m x_m + e_m)                    (T, D)    m in {a, v}, D = encode
    X_a^(t), X_v^(t) = JCA^(t)(X_a^(t-1), X_v^(t-1))    (T, D)    t = 1 … n, n = recursions
    Y = BLSTM([X_v^(n) ; X_a^(n)])                      (T, D)    (T, 2D) without this BLSTM

         JCA is that of jca.py without its encoder; BLSTM: layers/bilstm.py.
Options  `share` uses one JCA for all t; the paper's superscripts give each t its own weights.
         `blstm` is `unimodal`, `joint`, `both` or `none`. `jca: {blstm: both}` and
         `concat: {blstm: both, encode: 128}` have the same BLSTMs around one JCA and around none,
         as controls for what recursion adds and for what attention adds.
Masks    As in JCA, and the row of an absent clip is zero again before each JCA.
Departs  E_m, so that one recursion without BLSTM is our JCA; `encode: 0` leaves it out. The
         published code runs another operator once: see dense_joint.py.
"""

from typing import Literal

from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.base import Attended, Pair
from avfusion.fusion.jca import JointCrossAttention
from avfusion.fusion.layers.lazy_maps import Maps
from avfusion.fusion.layers.recurrent import RecurrentAttention
from avfusion.registry import fusions


@fusions.add("rjca")
class RecursiveJointCrossAttention(RecurrentAttention):
    """Recursive joint cross-attention: n joint cross-attentions in a row."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        recursions: int = 2,
        share: bool = False,
        blstm: Literal["none", "unimodal", "joint", "both"] = "both",
        hidden: int = 32,
        encode: int = 128,
    ) -> None:
        super().__init__("rjca", audio_dim, video_dim, encode=encode, blstm=blstm)
        if recursions < 1:
            raise ConfigError(f"rjca: recursions is {recursions}; set 1 or more.")
        self.blocks = nn.ModuleList(
            JointCrossAttention(*self.widths, steps=steps, hidden=hidden, encode=0)
            for _ in range(1 if share else recursions)
        )
        self.recursions = recursions
        self.close()

    def passes(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> tuple[list[Pair], Maps]:
        """X^(0) … X^(n), each audio and video (B, T, D), and the correlations of every pass."""
        pairs, maps = [self.enter(audio, video, audio_present, video_present)], Maps()
        for t in range(self.recursions):
            block = self.blocks[t % len(self.blocks)]
            assert isinstance(block, JointCrossAttention)
            attended = block.attend(*pairs[-1], audio_present, video_present)
            pairs.append(attended.after)
            maps |= attended.maps.numbered(t + 1)
        return pairs, maps

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> X^(0) and X^(n), (B, T, D)."""
        pairs, maps = self.passes(audio, video, audio_present, video_present)
        return Attended(pairs[0], pairs[-1], maps)
