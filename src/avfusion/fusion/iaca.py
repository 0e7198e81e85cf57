"""Inconsistency-aware cross-attention (IACA): gates within, then between, the modalities.

Source   Praveen, Alam: "Inconsistency-Aware Cross-Attention for Audio-Visual Fusion in Dimensional
         Emotion Recognition", 2024, arXiv:2405.12853. No code is published.
Idea     Where the modalities do not agree, each uses self-attention instead of cross-attention.
         A last gate then gives a corrupted modality less weight.

    X_m = E_m x_m + e_m                                 (T, D)    m in {a, v}, D = encode
    C_m, S_m = cross-attended, self-attended X_m        (T, D)    ca.py, self_attention.py
    Z_m = gate_m(S_m, C_m), looking at C_m              (T, D)    layers/gate.py, with relu
    Y   = gate(Z_a, Z_v), looking at [Z_a ; Z_v]        (T, D)    relu(G_0 Z_a + G_1 Z_v)

Options  `stage2: concat` weighs and concatenates, Y = relu([G_1 Z_v ; G_0 Z_a]), then joins as the
         wrapped fusion does. `wraps`, `inner`, `gate`, `relu`: as in dca.py. `relu_only` passes C_m
         in stage 1, `none` the mean of S_m and C_m; in stage 2, both pass the modalities' mean.
Maps     gate_audio, gate_video (B, T): weight of C_m; gate_modality (B, T): weight of video.
Masks    Those of the attentions; X_m of an absent clip is a row of zeros.
Departs  A reconstruction: what a gate looks at, one temperature for both stages and the form of
         stage 2 are ours. E_m makes the widths equal, as the sum needs; `encode: 0` leaves it out.
"""

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.base import Fused, Fusion, Pair
from avfusion.fusion.layers.gate import Gate
from avfusion.fusion.self_attention import SelfAttention
from avfusion.fusion.wrap import attention
from avfusion.registry import fusions


@fusions.add("iaca")
class InconsistencyAwareCrossAttention(Fusion):
    """Two gates choose cross- or self-attended features, a third weighs the modalities."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        wraps: Literal[
            "ca",
            "cross_transformer",
            "dense_joint",
            "jca",
            "rjca",
            "self_attention",
            "self_transformer",
        ] = "ca",
        inner: dict[str, Any] | None = None,
        encode: int = 128,
        stage2: str = "sum",
        gate: str = "learned",
        temperature: float = 0.1,
        relu: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.encode_audio = nn.Linear(audio_dim, encode) if encode else nn.Identity()
        self.encode_video = nn.Linear(video_dim, encode) if encode else nn.Identity()
        widths = (encode, encode) if encode else (audio_dim, video_dim)
        self.cross = attention("iaca", wraps, inner, *widths, steps)
        audio, video = self.cross.widths
        _check(stage2, audio, video, self.cross.out_dim)
        needed = gate != "relu_only"
        self.within = SelfAttention(audio, video, steps=steps) if needed else None
        new_gate = partial(Gate, kind=gate, temperature=temperature, relu=relu)
        mean = [0.5, 0.5]
        ungated = mean if gate == "none" else None
        self.gate_audio = new_gate(audio, audio, seed=seed, ungated=ungated)
        self.gate_video = new_gate(video, video, seed=seed + 1, ungated=ungated)
        width = audio if stage2 == "sum" else audio + video
        self.gate = new_gate(audio + video, width, seed=seed + 2, ungated=mean)
        self.sum = stage2 == "sum"
        self.out_dim = width if self.sum else self.cross.out_dim

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, out_dim)."""
        present = audio_present, video_present
        audio = self.encode_audio(audio) * audio_present[..., None]  # (B, T, D)
        video = self.encode_video(video) * video_present[..., None]  # (B, T, D)
        x, cross, maps = self.cross.attend(audio, video, *present)
        within = cross
        if self.within is not None:
            _, within, within_maps = self.within.attend(*x, *present)
            maps |= {f"self_{name}": weights for name, weights in within_maps.items()}
        audio, chosen_audio = self.gate_audio(cross.audio, [within.audio, cross.audio])
        video, chosen_video = self.gate_video(cross.video, [within.video, cross.video])
        features, chosen = self._between(audio, video)
        maps |= {"gate_audio": chosen_audio[..., 1], "gate_video": chosen_video[..., 1]}
        return Fused(features, maps | {"gate_modality": chosen[..., 1]})

    def _between(self, audio: Tensor, video: Tensor) -> tuple[Tensor, Tensor]:
        """Stage 2: audio, video (B, T, D) -> features (B, T, out_dim), weights (B, T, 2)."""
        both = torch.cat([audio, video], dim=-1)  # (B, T, 2D)
        if self.sum:
            return self.gate(both, [audio, video])
        silent, blank = torch.zeros_like(audio), torch.zeros_like(video)
        apart = [torch.cat([audio, blank], dim=-1), torch.cat([silent, video], dim=-1)]
        weighed, chosen = self.gate(both, apart)  # (B, T, 2D), (B, T, 2)
        audio, video = weighed.split([audio.shape[-1], video.shape[-1]], dim=-1)
        return self.cross.join(Pair(audio, video)), chosen


def _check(stage2: str, audio: int, video: int, joined: int) -> None:
    if stage2 not in ("sum", "concat"):
        raise ConfigError(f"iaca: stage2 is {stage2!r}; set `sum` or `concat`.")
    if stage2 == "sum" and (audio != video or joined != audio + video):
        raise ConfigError(
            f"iaca: stage2 `sum` needs equal widths and no joint BLSTM in `wraps`; found audio "
            f"{audio}, video {video}, joined {joined}. Set `stage2: concat`, or `encode`, or "
            f"`inner: {{blstm: unimodal}}`."
        )
