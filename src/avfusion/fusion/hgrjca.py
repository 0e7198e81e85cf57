"""Hierarchical GRJCA: one gate per recursion, then one over the gated recursions.

Source   Praveen, Alam, Charton: "United we stand, Divided we fall: Handling Weak Complementary
         Relationships for Audio-Visual Emotion Recognition in Valence-Arousal Space", 2025,
         arXiv:2503.12261. No code is published.
Idea     A low gate accepts or rejects each pass; a high-level gate then weighs the results.

    X_m^(0) … X_m^(n) = what RJCA passes through        (T, D)    m in {a, v}: rjca.py
    Z_m^(t) = gate_m^(t)(X_m^(t-1), X_m^(t)),
              looking at X_m^(t)                        (T, D)    t = 1 … n: layers/gate.py
    Z_m = gate_m(Z_m^(1), … Z_m^(n)),
              looking at Z_m^(n)                        (T, D)
    Y   = BLSTM([Z_v ; Z_a])                            (T, D)    (T, 2D) without this BLSTM

Options  Those of rjca.py (recursions from 2), and `gate`, `temperature`, `relu` of dca.py; the
         control `none` passes the mean of the passes through the high-level gate.
Maps     gate_audio_t, gate_video_t (B, T): the weight of pass t over pass t-1, t = 1 … n;
         high_audio_t, high_video_t (B, T): the weight of Z_m^(t).
Masks    Those of RJCA.
Departs  A reconstruction from the abstract: a pass is gated against its input, the recursion
         continues from the ungated pass, and the high-level gate looks at the last gated pass.
"""

from functools import partial
from typing import Literal

from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.base import Fused, Fusion, Pair
from avfusion.fusion.layers.gate import Gate
from avfusion.fusion.rjca import RecursiveJointCrossAttention
from avfusion.registry import fusions


@fusions.add("hgrjca")
class HierarchicalGatedAttention(Fusion):
    """n low gates and one high gate per modality."""

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
        gate: str = "learned",
        temperature: float = 0.1,
        relu: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if recursions < 2:
            raise ConfigError(f"hgrjca: recursions is {recursions}; set 2 or more, or use `dca`.")
        self.attention = RecursiveJointCrossAttention(
            audio_dim,
            video_dim,
            steps=steps,
            recursions=recursions,
            share=share,
            blstm=blstm,
            hidden=hidden,
            encode=encode,
        )
        audio, video = self.attention.widths
        levels = partial(_Levels, kind=gate, temperature=temperature, relu=relu)
        self.audio = levels(audio, recursions, seed)
        self.video = levels(video, recursions, seed + recursions + 1)
        self.out_dim = self.attention.out_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, out_dim)."""
        pairs, maps = self.attention.passes(audio, video, audio_present, video_present)
        audio, low_audio, high_audio = self.audio([pair.audio for pair in pairs])
        video, low_video, high_video = self.video([pair.video for pair in pairs])
        for t in range(1, len(pairs)):
            maps[f"gate_audio_{t}"] = low_audio[t - 1]
            maps[f"gate_video_{t}"] = low_video[t - 1]
            maps[f"high_audio_{t}"] = high_audio[..., t - 1]
            maps[f"high_video_{t}"] = high_video[..., t - 1]
        return Fused(self.attention.join(Pair(audio, video)), maps)


class _Levels(nn.Module):
    """Low gates and high gate of one modality."""

    def __init__(
        self,
        width: int,
        recursions: int,
        seed: int,
        *,
        kind: str,
        temperature: float,
        relu: bool,
    ) -> None:
        super().__init__()
        new_gate = partial(Gate, width, width, kind=kind, temperature=temperature, relu=relu)
        self.low = nn.ModuleList(new_gate(seed=seed + t) for t in range(recursions))
        mean = [1 / recursions] * recursions if kind == "none" else None
        self.high = new_gate(choices=recursions, seed=seed + recursions, ungated=mean)

    def forward(self, passes: list[Tensor]) -> tuple[Tensor, list[Tensor], Tensor]:
        """X^(0) … X^(n), (B, T, D) each -> Z (B, T, D), n low weights (B, T), high (B, T, n)."""
        gated, weights = [], []
        for gate, entered, left in zip(self.low, passes[:-1], passes[1:], strict=True):
            mixed, chosen = gate(left, [entered, left])
            gated.append(mixed)
            weights.append(chosen[..., 1])
        mixed, chosen = self.high(gated[-1], gated)
        return mixed, weights, chosen
