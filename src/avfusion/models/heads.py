"""Regression heads: from a fusion's features to the corpus' targets, clip by clip."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.layers.regressor import Regressor
from avfusion.rating import DIMENSIONS


class CaHead(nn.Sequential):
    """CA's head for one target (FG 2021): dropout, then three layers with tanh."""

    def __init__(self, width: int, dropout: float = 0.5) -> None:
        layers = [nn.Linear(width, 512), nn.Linear(512, 256), nn.Linear(256, 1)]
        super().__init__(nn.Dropout(dropout), *(m for lin in layers for m in (lin, nn.Tanh())))


class JcaHead(nn.Sequential):
    """JCA's head for one target (CVPRW 2022): two layers without activation."""

    def __init__(self, width: int, dropout: float = 0.6) -> None:
        super().__init__(nn.Linear(width, 128), nn.Dropout(dropout), nn.Linear(128, 1))


class SelfCrossHead(nn.Sequential):
    """SelfCrossAttn's head (ICASSP 2022): two linear layers, 60 and K wide, without activation."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__(nn.Linear(width, 60), nn.Linear(60, outputs))


class RjcmaHead(nn.Module):
    """RJCMA's head for one target (CVPRW 2024): batch norm after the first layer, tanh at the end.

    Lin(width -> 256), BatchNorm, LeakyReLU, Lin(256 -> 1), tanh, as in the published code. What the
    published sizes leave open is PyTorch's default here: initialisation, slope 0.01, and epsilon
    1e-5 and momentum 0.1 of the batch norm.

    All steps of a batch count as rows of the batch norm. Steps past the end of a video count too,
    with the features that the fusion gives to absent steps. The published code also counts the
    frames that pad a short video. A batch of a single row has no variance, so it is normalised with
    the running statistics, as in prediction.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(width, 256), nn.Linear(256, 1)
        self.norm = nn.BatchNorm1d(256)

    def forward(self, features: Tensor) -> Tensor:
        """features (..., width) -> target (..., 1) in [-1, 1]."""
        hidden = self.first(features)
        rows = hidden.flatten(0, -2)
        if self.training and len(rows) == 1:
            norm = self.norm
            rows = F.batch_norm(
                *(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias), eps=norm.eps
            )
        else:
            rows = self.norm(rows)
        return self.last(F.leaky_relu(rows.view_as(hidden))).tanh()


class Apart(nn.ModuleList):
    """One head per target, side by side, in the targets' order."""

    def forward(self, features: Tensor) -> Tensor:
        """features (..., width) -> targets (..., K)."""
        return torch.cat([head(features) for head in self], dim=-1)


def build_head(
    kind: str, width: int, hidden: int, dropout: float, names: Sequence[str] = DIMENSIONS
) -> nn.Module:
    """Return a new head.

    Parameters
    ----------
    kind
        `train.head`: `"regressor"`; `"separate"`, one such head per target, as in T-BIOM 2023, RJCA
        and DCA; or `"ca"`, `"jca"`, `"selfcross"` or `"rjcma"` with the paper's sizes.
    width
        Width of the fusion's features.
    hidden, dropout
        Hidden width and dropout of `"regressor"` and `"separate"`; other heads have their own.
    names
        What is predicted: targets or classes, K names.

    Returns
    -------
    torch.nn.Module
        Maps (..., width) to (..., K).

    Raises
    ------
    ConfigError
        If there is no such head.
    """
    if kind == "regressor":
        return Regressor(width, hidden, dropout, len(names))
    if kind == "selfcross":
        return SelfCrossHead(width, len(names))
    if kind == "separate":
        return Apart(Regressor(width, hidden, dropout, 1) for _ in names)
    of_papers: dict[str, type[nn.Module]] = {"ca": CaHead, "jca": JcaHead, "rjcma": RjcmaHead}
    if kind in of_papers:
        return Apart(of_papers[kind](width) for _ in names)
    known = ("regressor", "separate", "selfcross", *of_papers)
    raise ConfigError(f"train.head is {kind!r}; set one of {', '.join(known)}.")
