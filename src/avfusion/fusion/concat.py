"""Feature concatenation, the baseline for attention-based fusion.

Source   "Feature concatenation" of Praveen et al., FG 2021, arXiv:2111.05222.
Idea     The features of the modalities are placed next to each other; only the head compares them.

    Y = [X_v ; X_a]                                     (T, d_v + d_a)

Options  `modalities: [audio, video, text]` appends X_t; any subset of the three is allowed.
         `encode: D` maps each modality to D features first, X_m = E_m x_m + e_m. `blstm` adds the
         BLSTMs of rjca.py: `unimodal` on each X_m, `joint` on Y, or `both`. Then
         `blstm: both, encode: 128` is RJCA with its attention left out: a control for memory.
Masks    With `encode` or `blstm`, an absent clip is a row of zeros before and after BLSTM_m.
Departs  Their features are scaled to unit length; ours are standardised, as for every fusion.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from avfusion.config.modalities import ordered
from avfusion.fusion.base import Fused, Fusion, by_modality
from avfusion.fusion.layers.bilstm import places
from avfusion.fusion.layers.recurrent import after, encoders, memories
from avfusion.registry import fusions


@fusions.add("concat")
class Concatenation(Fusion):
    """Concatenate the modalities, clip by clip."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video"),
        encode: int = 0,
        blstm: Literal["none", "unimodal", "joint", "both"] = "none",
    ) -> None:
        super().__init__()
        unimodal, joint = places("concat", blstm)
        self.modalities = ordered("concat", modalities)
        every = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        dims = {m: every[m] for m in self.modalities}
        widths = {m: encode or d for m, d in dims.items()}
        total = sum(widths.values())
        self.encode, self.memories = encoders(dims, encode), memories(widths, unimodal)
        self.out_dim = widths.get("video", max(widths.values())) if joint else total
        self.memory = after(total, self.out_dim) if joint else nn.Identity()

    def forward(
        self,
        audio: Tensor,
        video: Tensor,
        audio_present: Tensor,
        video_present: Tensor,
        text: Tensor | None = None,
        text_present: Tensor | None = None,
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), text (B, T, Dt), present (B, T) -> (B, T, out)."""
        inputs, masks = by_modality(audio, video, audio_present, video_present, text, text_present)
        parts = []
        for m in ("video", "audio", "text"):
            if m in self.modalities:
                present = masks[m][..., None]  # (B, T, 1)
                parts.append(self.memories[m](self.encode[m](inputs[m]) * present) * present)
        return Fused(self.memory(torch.cat(parts, dim=-1)), {})
