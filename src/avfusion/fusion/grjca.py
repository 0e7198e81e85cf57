"""Gated recursive joint cross-attention (GRJCA): one gate over the input and all recursions.

Source   Praveen, Alam, Charton: "United we stand, Divided we fall: Handling Weak Complementary
         Relationships for Audio-Visual Emotion Recognition in Valence-Arousal Space", 2025,
         arXiv:2503.12261. No code is published.
Idea     A gate chooses for each clip how often to attend: not at all, once, … n times.

    X_m^(0) … X_m^(n) = what RJCA passes through        (T, D)    m in {a, v}: rjca.py
    G_m = softmax((X_m^(n) W_m + b_m) / temperature)    (T, n+1)  layers/gate.py
    Z_m = relu(sum_t G_mt X_m^(t))                      (T, D)
    Y   = BLSTM([Z_v ; Z_a])                            (T, D)    (T, 2D) without this BLSTM

Options  Those of rjca.py, and `gate`, `temperature`, `relu` of dca.py.
Maps     gate_audio_t, gate_video_t (B, T): the weight of X_m^(t), t = 0 … n.
Masks    Those of RJCA.
Departs  A reconstruction from the abstract: n + 1 outputs, and a gate on the last pass.
"""

from functools import partial
from typing import Literal

from torch import Tensor

from avfusion.fusion.base import Fused, Fusion, Pair
from avfusion.fusion.layers.gate import Gate
from avfusion.fusion.rjca import RecursiveJointCrossAttention
from avfusion.registry import fusions


@fusions.add("grjca")
class GatedRecursiveAttention(Fusion):
    """One gate per modality over all passes of a recursive joint cross-attention."""

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
        new_gate = partial(
            Gate, choices=recursions + 1, kind=gate, temperature=temperature, relu=relu
        )
        self.gate_audio = new_gate(audio, audio, seed=seed)
        self.gate_video = new_gate(video, video, seed=seed + 1)
        self.out_dim = self.attention.out_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, out_dim)."""
        pairs, maps = self.attention.passes(audio, video, audio_present, video_present)
        last = pairs[-1]
        audio, chosen_audio = self.gate_audio(last.audio, [pair.audio for pair in pairs])
        video, chosen_video = self.gate_video(last.video, [pair.video for pair in pairs])
        for t in range(len(pairs)):
            maps[f"gate_audio_{t}"] = chosen_audio[..., t]
            maps[f"gate_video_{t}"] = chosen_video[..., t]
        return Fused(self.attention.join(Pair(audio, video)), maps)
