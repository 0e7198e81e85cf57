"""Encoders and BLSTMs around an attention, or around nothing.

    X_m = BLSTM_m(E_m x_m + e_m)                        (T, D)    before: one per modality m
    Y   = BLSTM([Y_v ; Y_a])                            (T, D)    after: one over the joined rows

Each part can be left out. RJCA (ICASSP 2023, arXiv:2304.07958) has both BLSTMs. jca.py and
concat.py offer the same parts in the same places, so that attention and memory can be compared
separately.
"""

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn

from avfusion.fusion.base import Attention, Pair
from avfusion.fusion.layers.bilstm import ResidualBiLSTM, places

before = partial(ResidualBiLSTM, layers=2, dropout=0.1)
"""BLSTM of one modality."""

after = ResidualBiLSTM
"""BLSTM over the joined modalities."""


def encoders(dims: Mapping[str, int], encode: int) -> nn.ModuleDict:
    """Return E_m of each modality; identities if `encode` is 0."""
    parts = {m: nn.Linear(d, encode) if encode else nn.Identity() for m, d in dims.items()}
    return nn.ModuleDict(parts)


def memories(widths: Mapping[str, int], wanted: bool) -> nn.ModuleDict:
    """Return BLSTM_m of each modality; identities if they are not wanted."""
    return nn.ModuleDict({m: before(w, w) if wanted else nn.Identity() for m, w in widths.items()})


class RecurrentAttention(Attention):
    """Base of attentions with encoders and BLSTMs before them, and a BLSTM after them.

    A subclass creates the attention after `super().__init__`, then calls `close`.
    """

    def __init__(
        self, fusion: str, audio_dim: int, video_dim: int, *, encode: int, blstm: str
    ) -> None:
        super().__init__()
        unimodal, self.joined = places(fusion, blstm)
        self.encode_audio = nn.Linear(audio_dim, encode) if encode else nn.Identity()
        self.encode_video = nn.Linear(video_dim, encode) if encode else nn.Identity()
        self.widths = audio, video = (encode, encode) if encode else (audio_dim, video_dim)
        self.audio_memory = before(audio, audio) if unimodal else nn.Identity()
        self.video_memory = before(video, video) if unimodal else nn.Identity()
        self.out_dim = encode or video if self.joined else audio + video

    def close(self) -> None:
        """Create the BLSTM after the attention, if the options ask for it."""
        self.memory = after(sum(self.widths), self.out_dim) if self.joined else nn.Identity()

    def enter(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Pair:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> X_m, each (B, T, D)."""
        heard, seen = audio_present[..., None], video_present[..., None]  # (B, T, 1)
        audio = self.audio_memory(self.encode_audio(audio) * heard) * heard
        video = self.video_memory(self.encode_video(video) * seen) * seen
        return Pair(audio, video)

    def join(self, pair: Pair) -> Tensor:
        """(B, T, D) after the joint BLSTM, [Y_v ; Y_a] (B, T, 2D) without it."""
        return self.memory(super().join(pair))
