"""Regression heads: from a fusion's features to valence and arousal, clip by clip."""

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError


class Regressor(nn.Module):
    """The head of every fusion unless the study says otherwise, so that fusions alone differ.

    Lin(in -> hidden), ReLU, dropout, Lin(hidden -> 2); no activation at the end. The form of
    T-BIOM 2023 (arXiv:2209.09068), with one hidden layer for both outputs. Xavier-uniform.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 2)
        )
        for layer in (self.layers[0], self.layers[3]):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """features (..., width) -> valence and arousal (..., 2)."""
        return self.layers(features)


class CaHead(nn.Sequential):
    """CA's head for one dimension (FG 2021): three layers with tanh, dropout before."""

    def __init__(self, width: int, dropout: float = 0.5) -> None:
        layers = [nn.Linear(width, 512), nn.Linear(512, 256), nn.Linear(256, 1)]
        super().__init__(nn.Dropout(dropout), *(m for lin in layers for m in (lin, nn.Tanh())))


class JcaHead(nn.Sequential):
    """JCA's head for one dimension (CVPRW 2022): two layers without activation."""

    def __init__(self, width: int, dropout: float = 0.6) -> None:
        super().__init__(nn.Linear(width, 128), nn.Dropout(dropout), nn.Linear(128, 1))


class Pair(nn.Module):
    """Two one-dimension heads side by side: one for valence, one for arousal."""

    def __init__(self, valence: nn.Module, arousal: nn.Module) -> None:
        super().__init__()
        self.valence, self.arousal = valence, arousal

    def forward(self, features: Tensor) -> Tensor:
        """features (..., width) -> valence and arousal (..., 2)."""
        return torch.cat([self.valence(features), self.arousal(features)], dim=-1)


def build_head(kind: str, width: int, hidden: int, dropout: float) -> nn.Module:
    """The head named by `train.head`: `regressor`, or `ca` and `jca` with their papers' sizes."""
    if kind == "regressor":
        return Regressor(width, hidden, dropout)
    if kind == "ca":
        return Pair(CaHead(width), CaHead(width))
    if kind == "jca":
        return Pair(JcaHead(width), JcaHead(width))
    raise ConfigError(f"train.head is {kind!r}; set `regressor`, `ca` or `jca`.")
