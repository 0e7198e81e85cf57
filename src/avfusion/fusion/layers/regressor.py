"""The regression head that all fusions share by default."""

from torch import Tensor, nn


class Regressor(nn.Module):
    """The head of every fusion unless the study says otherwise, so that fusions alone differ.

    Lin(in -> hidden), ReLU, dropout, Lin(hidden -> K); no activation at the end. The form of
    T-BIOM 2023 (arXiv:2209.09068), with one hidden layer for all outputs. Xavier-uniform.
    """

    def __init__(self, width: int, hidden: int, dropout: float, outputs: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs)
        )
        for layer in (self.layers[0], self.layers[3]):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """features (..., width) -> targets (..., K)."""
        return self.layers(features)
