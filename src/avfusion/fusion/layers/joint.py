"""Joint cross-attention, the operator of the papers on JCA, RJCA and RJCMA.

Source   Praveen et al., CVPR Workshops 2022, arXiv:2203.14779; over three modalities Praveen, Alam,
         CVPR Workshops 2024, arXiv:2403.13659. The equations are in jca.py and rjcma.py.
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from avfusion.fusion.layers.correlation import attend, correlations
from avfusion.fusion.layers.lazy_maps import Maps


class JointAttend(nn.Module):
    """C, H and Y of one modality; the linear maps have no bias, as in the paper."""

    def __init__(self, joint: int, steps: int, hidden: int) -> None:
        super().__init__()
        self.mix = nn.Linear(steps, steps, bias=False)  # W_j
        self.from_map = nn.Linear(joint, hidden, bias=False)  # W_c
        self.from_self = nn.Linear(steps, hidden, bias=False)  # W_m
        self.back = nn.Linear(hidden, steps, bias=False)  # W_h

    def forward(self, x: Tensor, joint: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        """x (B, T, D), joint (B, T, 2D) -> attended (B, T, D), correlations C (B, D, 2D)."""
        mixed = self.mix(joint.mT).mT / joint.shape[-1] ** 0.5  # (B, T, 2D)
        from_map = attend(x.mT, mixed, self.from_map.weight.T)  # C W_c^T (B, D, k)
        h = torch.relu(self.from_self(x.mT) + from_map)  # (B, D, k)
        return self.back(h).mT + x, partial(correlations, x.mT, mixed)


class JointBlock(nn.Module):
    """One pass over two or three modalities: the joint, and each modality compared with it."""

    def __init__(self, widths: Mapping[str, int], steps: int, hidden: int, project: bool) -> None:
        super().__init__()
        total = sum(widths.values())
        self.project = nn.Linear(total, total) if project else nn.Identity()  # F, f
        self.attend = nn.ModuleDict({m: JointAttend(total, steps, hidden) for m in widths})

    def forward(
        self, x: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], Maps]:
        """x: each (B, T, D), present: each (B, T, 1) -> attended, each (B, T, D), and maps."""
        x = {m: part * present[m] for m, part in x.items()}
        some = torch.stack(list(present.values())).any(0)  # (B, T, 1)
        joint = self.project(torch.cat(list(x.values()), dim=-1)) * some
        results = {m: self.attend[m](part, joint) for m, part in x.items()}
        maps = Maps({m: correlation for m, (_, correlation) in results.items()})
        return {m: after for m, (after, _) in results.items()}, maps
