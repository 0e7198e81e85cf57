"""Recursive joint cross-modal attention over audio, video and text (RJCMA).

Source   Praveen, Alam: "Recursive Joint Cross-Modal Attention for Multimodal Fusion in Dimensional
         Emotion Recognition", CVPR Workshops 2024, arXiv:2403.13659, and its published code.
Idea     RJCA with a third modality: each is compared, recursively, with the joint of all three.

    X_m^(0) = BLSTM_m(E_m x_m + e_m)                    (T, D)    m in {a, v, t}, D = encode
    J   = F^(n) [X_a ; X_v ; X_t]^(n-1) + f^(n)         (T, 3D)   the paper's FC on the joint
    C_m = tanh(X_m^T W_jm J / sqrt(3D))                 (D, 3D)   feature x joint feature
    H_m = relu(X_m^T W_m^T + C_m W_cm^T)                (D, k)    k = hidden
    X_m^(n) = (H_m W_hm^T)^T + X_m^(n-1)                (T, D)    n = 1 … recursions
    Y   = BLSTM([X_v ; X_a ; X_t])                      (T, D)    (T, 3D) without this BLSTM

Options  `modalities` takes two or three. `share` uses one F, W_j, W, W_c, W_h for all n.
         `project: false` leaves out F. `blstm` is `none`, `unimodal`, `joint` or `both`, as in
         rjca.py. `operator: dense` replaces J, C, H and X by layers/dense.py with `dropout`. The
         published code is `operator: dense, project: false, encode: 0`: it computes F, but passes
         the joint. With widths of 256, 128, 128 and 300 steps it has 1,922,153 parameters,
         including a head of 132,097 and 525,312 in the two idle F, which we leave out.
Fixes T  The maps along time (W_jm, W_m, W_hm; W_km in layers/dense.py) have one number of `steps`.
Masks    An absent clip is a row of zeros in X_m before each pass; where all are absent, J is 0.
Departs  The paper has temporal convolutional networks and batch normalisation before the attention;
         here `blstm` and E_m (`encode: 0` leaves it out). The dense operator starts Xavier-uniform
         as in layers/dense.py; the code of RJCMA has PyTorch's initialisation.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from avfusion.config.modalities import ordered
from avfusion.errors import ConfigError
from avfusion.fusion.base import Fused, Fusion, by_modality
from avfusion.fusion.layers.bilstm import places
from avfusion.fusion.layers.dense import ORDER, DenseBlock
from avfusion.fusion.layers.joint import JointBlock
from avfusion.fusion.layers.lazy_maps import Maps
from avfusion.fusion.layers.recurrent import after, encoders, memories
from avfusion.registry import fusions


@fusions.add("rjcma")
class RecursiveJointCrossModalAttention(Fusion):
    """Recursive joint attention over two or three modalities."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video", "text"),
        recursions: int = 2,
        share: bool = False,
        project: bool = True,
        blstm: Literal["none", "unimodal", "joint", "both"] = "none",
        hidden: int = 32,
        encode: int = 128,
        operator: Literal["joint", "dense"] = "joint",
        dropout: float = 0.6,
    ) -> None:
        super().__init__()
        if recursions < 1:
            raise ConfigError(f"rjcma: recursions is {recursions}; set 1 or more.")
        if operator not in ("joint", "dense"):
            raise ConfigError(f"rjcma: operator is {operator!r}; set `joint` or `dense`.")
        unimodal, joint = places("rjcma", blstm)
        self.modalities = ordered("rjcma", modalities, least=2)
        every = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        dims = {m: every[m] for m in self.modalities}
        widths = {m: encode or d for m, d in dims.items()}
        self.encode, self.memories = encoders(dims, encode), memories(widths, unimodal)
        block: Callable[..., nn.Module] = partial(JointBlock, hidden=hidden)
        if operator == "dense":
            block = partial(DenseBlock, dropout=dropout)
        number = 1 if share else recursions
        self.blocks = nn.ModuleList(block(widths, steps, project=project) for _ in range(number))
        self.recursions = recursions
        total = sum(widths.values())
        self.out_dim = [*widths.values()][1] if joint else total
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
        present = {m: masks[m][..., None] for m in self.modalities}  # (B, T, 1)
        x = {m: self.encode[m](inputs[m]) * present[m] for m in self.modalities}
        x = {m: self.memories[m](x[m]) * present[m] for m in self.modalities}
        maps = Maps()
        for n in range(self.recursions):
            x, correlations = self.blocks[n % len(self.blocks)](x, present)
            maps |= correlations.numbered(n + 1)
        joined = torch.cat([x[m] for m in ORDER if m in x], dim=-1)
        return Fused(self.memory(joined), maps)
