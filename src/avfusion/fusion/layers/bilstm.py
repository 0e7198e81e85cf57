"""Residual bidirectional LSTM, before (U-BLSTM) and after (J-BLSTM) the attention of this family.

Source   The published code of Praveen et al., T-BIOM 2023 (arXiv:2209.09068) and ICASSP 2023
         (arXiv:2304.07958); the block is that of Duan et al., WACV 2021.

    h = BiLSTM(x; s)                                    (T, k)    k/2 a direction, s learned
    y = W [dropout(x ; h)] + b                          (T, k)
    Y = y / |y|                                         (T, k)    unit length over the features
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avfusion.errors import ConfigError
from avfusion.fusion.layers.init import xavier_linear

BLSTM = ("none", "unimodal", "joint", "both")


class ResidualBiLSTM(nn.Module):
    """x (B, T, inputs) -> (B, T, width), each clip of unit length."""

    def __init__(self, inputs: int, width: int, *, layers: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        if width % 2:
            raise ConfigError(
                f"A bidirectional LSTM needs an even width, found {width}. Set an even `encode` or "
                f"`width`, or `blstm: none`."
            )
        self.lstm = nn.LSTM(
            inputs,
            width // 2,
            layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.start = nn.Parameter(torch.empty(4 * layers, width // 2))  # s = [h_0 ; c_0]
        nn.init.xavier_uniform_(self.start)
        self.dropout = nn.Dropout(dropout)
        self.out = xavier_linear(inputs + width, width)  # W, b

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, inputs), absent clips as rows of zeros -> (B, T, width)."""
        start = self.start[:, None].expand(-1, x.shape[0], -1).contiguous()  # (4 layers, B, k/2)
        hidden, cell = start.chunk(2)
        h, _ = self.lstm(x, (hidden.contiguous(), cell.contiguous()))  # (B, T, k)
        return F.normalize(self.out(self.dropout(torch.cat([x, h], dim=-1))), dim=-1)


def places(fusion: str, blstm: str) -> tuple[bool, bool]:
    """Return whether option `blstm` means one LSTM per modality, and one after the join."""
    if blstm not in BLSTM:
        raise ConfigError(f"{fusion}: blstm is {blstm!r}; set one of {', '.join(BLSTM)}.")
    return blstm in ("unimodal", "both"), blstm in ("joint", "both")
