"""Dense joint co-attention: JCA and RJCA as their published code computes them.

Source   The published code of Praveen et al., T-BIOM 2023 (arXiv:2209.09068; `blstm: joint`),
         ICASSP 2023 (arXiv:2304.07958; `blstm: both`) and ICME 2024 (arXiv:2403.19554; `depth: 2`,
         inside dca).
Idea     The papers' results were computed with this operator, which differs from the papers'
         equations (jca.py, rjca.py).

    X_a = BLSTM_a(x_a / |x_a|)                          (T, k)    k = width
    X_v = BLSTM_v(AG(x_v / |x_v|, X_a))                 (T, k)    AG: layers/audio_guided.py
    X_a, X_v = DJC^(t)(X_a, X_v)                        (T, k)    t = 1 … depth: layers/dense.py
    Y = BLSTM([X_v ; X_a])                              (T, k)    BLSTM: layers/bilstm.py

Options  `guided: none` leaves out AG. `spatial` and `as_published` need un-pooled 7x7 maps (a
         video width of 49 c); the latter has the layout of the published code, which confuses
         places and channels.
Cost     At the published width of 512 a step of training takes about 25 times the processor time
         of jca.py with `encode: 128` (T = 16); benchmarks/epoch.py measures both.
Masks    A clip that is absent is a row of zeros before each DJC; the published code has no masks.
Departs  `unit_length: false` leaves x_m standardised; with it, standardised rows are divided by
         their length. The published heads are one per target: `head: separate` under train.
"""

from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from avfusion.errors import ConfigError
from avfusion.fusion.base import Attended, Attention, Pair
from avfusion.fusion.layers.audio_guided import LAYOUTS, AudioGuided
from avfusion.fusion.layers.bilstm import ResidualBiLSTM, places
from avfusion.fusion.layers.dense import DenseJointAttention
from avfusion.fusion.layers.lazy_maps import Maps
from avfusion.registry import fusions


@fusions.add("dense_joint")
class DenseJoint(Attention):
    """Dense joint co-attention: `depth` blocks between residual BiLSTMs."""

    width_rule = "avfusion.fusion.layers.map_widths:guided"

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        depth: int = 1,
        blstm: Literal["none", "unimodal", "joint", "both"] = "both",
        guided: str = "none",
        width: int = 512,
        dropout: float = 0.6,
        unit_length: bool = True,
    ) -> None:
        super().__init__()
        if depth < 1:
            raise ConfigError(f"dense_joint: depth is {depth}; set 1 or more.")
        if guided not in LAYOUTS:
            raise ConfigError(f"dense_joint: guided is {guided!r}; set one of {LAYOUTS}.")
        unimodal, joint = places("dense_joint", blstm)
        self.unit_length = unit_length
        audio = width if unimodal else audio_dim
        self.guided: AudioGuided | None = None
        if guided != "none":
            self.guided = AudioGuided(audio, video_dim, layout=guided)
            video_dim = self.guided.channels
        video = width if unimodal else video_dim
        memory = partial(ResidualBiLSTM, layers=2, dropout=0.1)
        self.audio_memory = memory(audio_dim, audio) if unimodal else None
        self.video_memory = memory(video_dim, video) if unimodal else None
        self.blocks = nn.ModuleList(
            DenseJointAttention(audio, video, steps, dropout) for _ in range(depth)
        )
        self.memory = ResidualBiLSTM(audio + video, width) if joint else nn.Identity()
        self.widths = audio, video
        self.out_dim = width if joint else audio + video

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> before and after, (B, T, k)."""
        heard, seen = audio_present[..., None], video_present[..., None]  # (B, T, 1)
        if self.unit_length:
            audio, video = F.normalize(audio, dim=-1), F.normalize(video, dim=-1)
        maps = Maps()
        if self.audio_memory is not None:
            audio = self.audio_memory(audio)
        if self.guided is not None:
            video, maps["places"] = self.guided(audio * heard, video)
            video = video * seen
        if self.video_memory is not None:
            video = self.video_memory(video)
        before = after = Pair(audio * heard, video * seen)
        for t, block in enumerate(self.blocks, start=1):
            assert isinstance(block, DenseJointAttention)
            attended = block.attend(*after, audio_present, video_present)
            after = attended.after
            maps |= attended.maps.numbered(t)
        return Attended(before, after, maps)

    def join(self, pair: Pair) -> Tensor:
        """(B, T, k) after the joint BLSTM, [X_v ; X_a] without it."""
        return self.memory(super().join(pair))
