"""Dense joint co-attention, the attention in the published code of JCA, RJCA, DCA and RJCMA.

Source   The published code of Praveen et al., T-BIOM 2023 (arXiv:2209.09068), ICASSP 2023
         (arXiv:2304.07958), ICME 2024 (arXiv:2403.19554) and, over three modalities, CVPR
         Workshops 2024 (arXiv:2403.13659).
Idea     As in JCA each feature of a modality is compared with each joint feature over time, but
         the joint features are projected first and the map mixes projected features.

    Q   = [X_v ; X_a] W_q + b_q                         (T, d)    d = d_a + d_v
    K_m = (W_km X_m + b_km)^T                           (d_m, T)  acts along time, m in {a, v}
    S_m = dropout(tanh(K_m Q / sqrt(d)))                (d_m, d)
    U_m = relu(tanh((X_m W_vm + b_vm) S_m))             (T, d)
    Y_m = X_m + dropout(relu(U_m W_om + b_om))          (T, d_m)  all from the same X_a, X_v

         With text, Q = [X_v ; X_a ; X_t] W_q + b_q and m in {a, v, t}. Without `project`, Q is the
         joint itself: the code of RJCMA computes the projection, but passes the joint.
Fixes T  W_km is (T, T) and b_km is (T): built for one number of `steps`.
Masks    An absent clip is a row of zeros in X_m, in X_m W_vm + b_vm, and in Q if all modalities
         are absent, so that biases have no effect there. The published code has no masks.
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from avfusion.fusion.base import Attended, Pair
from avfusion.fusion.layers.correlation import attend, correlations
from avfusion.fusion.layers.init import xavier_linear
from avfusion.fusion.layers.lazy_maps import Maps

ORDER = ("video", "audio", "text")
"""Order of the modalities in the joint."""


class DenseBlock(nn.Module):
    """One co-attention block over two or three modalities, given as modality -> width."""

    def __init__(
        self, widths: Mapping[str, int], steps: int, dropout: float = 0.6, *, project: bool = True
    ) -> None:
        super().__init__()
        joint = sum(widths.values())
        self.query = xavier_linear(joint, joint) if project else nn.Identity()  # W_q, b_q
        for m, width in widths.items():
            self.add_module(m, _Side(width, joint, steps, dropout))

    def forward(
        self, x: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], Maps]:
        """x: each (B, T, D), present: each (B, T, 1) -> attended, each (B, T, D), and maps."""
        x = {m: part * present[m] for m, part in x.items()}
        some = torch.stack([present[m] for m in x]).any(0)  # (B, T, 1)
        joint = torch.cat([x[m] for m in ORDER if m in x], dim=-1)
        query = self.query(joint) * some  # (B, T, d)
        results = {m: self.get_submodule(m)(part, query, present[m]) for m, part in x.items()}
        maps = Maps({m: scores for m, (_, scores) in results.items()})
        return {m: after for m, (after, _) in results.items()}, maps


class DenseJointAttention(DenseBlock):
    """One co-attention block over audio and video: DJC(d_v, d_a, steps, dropout)."""

    def __init__(self, audio_dim: int, video_dim: int, steps: int, dropout: float = 0.6) -> None:
        super().__init__({"audio": audio_dim, "video": video_dim}, steps, dropout)

    def attend(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Attended:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> the same, before and after."""
        heard, seen = audio_present[..., None], video_present[..., None]  # (B, T, 1)
        before = Pair(audio * heard, video * seen)
        after, maps = self(before._asdict(), {"audio": heard, "video": seen})
        return Attended(before, Pair(**after), maps)


class _Side(nn.Module):
    """K, S, U and Y of one modality."""

    def __init__(self, width: int, joint: int, steps: int, dropout: float) -> None:
        super().__init__()
        self.key = xavier_linear(steps, steps)  # W_k, b_k
        self.value = xavier_linear(width, width)  # W_v, b_v
        self.back = xavier_linear(joint, width)  # W_o, b_o
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, query: Tensor, present: Tensor
    ) -> tuple[Tensor, Callable[[], Tensor]]:
        """x (B, T, D), query (B, T, d), present (B, T, 1) -> attended (B, T, D), S (B, D, d)."""
        key = self.key(x.mT) / query.shape[-1] ** 0.5  # (B, D, T)
        value = self.value(x) * present  # (B, T, D)
        share = self.dropout.p if self.training else 0.0
        mixed = attend(query.mT, key.mT, value.mT, share).mT  # X_m W_vm S_m (B, T, d)
        mixed = torch.relu(torch.tanh(mixed))
        after = x + self.dropout(torch.relu(self.back(mixed)))
        return after, partial(correlations, key, query)
