"""Recursive joint cross-modal attention over audio, video and text (RJCMA).

Source   Praveen, Alam: "Recursive Joint Cross-Modal Attention for Multimodal Fusion in Dimensional
         Emotion Recognition", CVPR Workshops 2024, arXiv:2403.13659.
Idea     RJCA with a third modality: each is compared, recursively, with the joint of all three.

    X_m^(0) = BLSTM_m(E_m x_m + e_m)                    (T, D)    m in {a, v, t}, D = encode
    J   = F^(n) [X_a ; X_v ; X_t]^(n-1) + f^(n)         (T, 3D)   the paper's FC on the joint
    C_m = tanh(X_m^T W_jm J / sqrt(3D))                 (D, 3D)   feature x joint feature
    H_m = relu(X_m^T W_m^T + C_m W_cm^T)                (D, k)    k = hidden
    X_m^(n) = (H_m W_hm^T)^T + X_m^(n-1)                (T, D)    n = 1 … recursions
    Y   = BLSTM([X_v ; X_a ; X_t])                      (T, D)    (T, 3D) without this BLSTM

Options  `modalities` takes two or three. `share` uses one F, W_j, W, W_c, W_h for all n.
         `project: false` leaves out F, as the published code does. `blstm` is `none`, `unimodal`,
         `joint` or `both`, as in rjca.py.
Fixes T  W_jm (T, T), W_m (k, T) and W_hm (T, k) act along time: built for one number of `steps`.
Masks    An absent clip is a row of zeros in X_m before each pass; where all are absent, J is 0.
Departs  The paper has temporal convolutional networks before the attention; here `blstm` and E_m
         (`encode: 0` leaves it out). The published code runs layers/dense.py over three
         modalities, and computes F without using it.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.config.modalities import ordered
from avfusion.errors import ConfigError
from avfusion.fusion.base import Fused, Fusion, by_modality
from avfusion.fusion.jca import JointAttend
from avfusion.fusion.layers.bilstm import ResidualBiLSTM, places
from avfusion.fusion.layers.lazy_maps import Maps
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
        blstm: str = "none",
        hidden: int = 32,
        encode: int = 128,
    ) -> None:
        super().__init__()
        if recursions < 1:
            raise ConfigError(f"rjcma: recursions is {recursions}; set 1 or more.")
        unimodal, joint = places("rjcma", blstm)
        names = self.modalities = ordered("rjcma", modalities, least=2)
        dims = {"audio": audio_dim, "video": video_dim, "text": text_dim}
        widths = [encode or dims[m] for m in names]
        total, memory = sum(widths), partial(ResidualBiLSTM, layers=2, dropout=0.1)
        self.encode = nn.ModuleDict(
            {m: nn.Linear(dims[m], encode) if encode else nn.Identity() for m in names}
        )
        self.memories = nn.ModuleDict(
            {
                m: memory(w, w) if unimodal else nn.Identity()
                for m, w in zip(names, widths, strict=True)
            }
        )
        blocks = range(1 if share else recursions)
        self.blocks = nn.ModuleList(_Block(names, total, steps, hidden, project) for _ in blocks)
        self.recursions = recursions
        self.out_dim = (encode or widths[1]) if joint else total
        self.memory = ResidualBiLSTM(total, self.out_dim) if joint else nn.Identity()

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
        order = sorted(x, key=("video", "audio", "text").index)
        return Fused(self.memory(torch.cat([x[m] for m in order], dim=-1)), maps)


class _Block(nn.Module):
    """One pass: the joint, and each modality compared with it."""

    def __init__(self, names: Any, total: int, steps: int, hidden: int, project: bool) -> None:
        super().__init__()
        self.project = nn.Linear(total, total) if project else nn.Identity()  # F, f
        self.attend = nn.ModuleDict({m: JointAttend(total, steps, hidden) for m in names})

    def forward(
        self, x: dict[str, Tensor], present: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], Maps]:
        """x: each (B, T, D), present: each (B, T, 1) -> attended, each (B, T, D), and maps."""
        x = {m: part * present[m] for m, part in x.items()}
        some = torch.stack(list(present.values())).any(0)  # (B, T, 1)
        joint = self.project(torch.cat(list(x.values()), dim=-1)) * some
        results = {m: self.attend[m](part, joint) for m, part in x.items()}
        maps = Maps({m: correlation for m, (_, correlation) in results.items()})
        return {m: after for m, (after, _) in results.items()}, maps
