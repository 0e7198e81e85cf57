"""Regression heads: from a fusion's features to the corpus' targets, clip by clip."""

from collections.abc import Sequence

import torch
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


class Apart(nn.Module):
    """One head per target, side by side, each under its target's name."""

    def __init__(self, heads: dict[str, nn.Module]) -> None:
        super().__init__()
        self.names = tuple(heads)
        for name, head in heads.items():
            self.add_module(name, head)

    def forward(self, features: Tensor) -> Tensor:
        """features (..., width) -> targets (..., K), in the heads' order."""
        return torch.cat([self.get_submodule(name)(features) for name in self.names], dim=-1)


def build_head(
    kind: str, width: int, hidden: int, dropout: float, names: Sequence[str] = DIMENSIONS
) -> nn.Module:
    """Return a new head.

    Parameters
    ----------
    kind
        `train.head`: `"regressor"`, or `"ca"`, `"jca"` or `"selfcross"` with the paper's sizes.
    width
        Width of the fusion's features.
    hidden, dropout
        Hidden width and dropout of the regressor; the other heads have their own.
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
    if kind == "ca":
        return Apart({name: CaHead(width) for name in names})
    if kind == "jca":
        return Apart({name: JcaHead(width) for name in names})
    raise ConfigError(f"train.head is {kind!r}; set `regressor`, `ca`, `jca` or `selfcross`.")
