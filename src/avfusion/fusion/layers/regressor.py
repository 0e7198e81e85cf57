"""The default head of all fusions."""

from torch import Tensor, nn


class Regressor(nn.Module):
    """The same head for all fusions, so that only the fusions differ.

    Lin(in -> hidden), ReLU, dropout, Lin(hidden -> K), without a last activation; Xavier-uniform.
    As in T-BIOM 2023 (arXiv:2209.09068), but with one hidden layer for all outputs.
    """

    def __init__(self, width: int, hidden: int, dropout: float, outputs: int = 2) -> None:
        super().__init__()
        first, last = nn.Linear(width, hidden), nn.Linear(hidden, outputs)
        self.layers = nn.Sequential(first, nn.ReLU(), nn.Dropout(dropout), last)
        for layer in (first, last):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """features (..., width) -> targets (..., K)."""
        return self.layers(features)
