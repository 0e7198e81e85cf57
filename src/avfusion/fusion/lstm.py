"""LSTM fusion over the clips of a window, without attention.

Source   "LSTM" of Praveen et al., FG 2021, arXiv:2111.05222, with the sizes that its code declares;
         `form: residual` is the block of T-BIOM 2023, arXiv:2209.09068 (layers/bilstm.py).
Idea     A recurrent network reads the concatenated features, so a clip is seen after earlier ones.

    Y = LSTM([X_a ; X_v])                               (T, k)    k = hidden
    Y = [LSTM_v(X_v) ; LSTM_a(X_a)]                     (T, 2k)   with per_modality

Masks    An absent clip is a row of zeros at the input; the LSTM continues over it.
Departs  No published code runs this fusion. Only its dropout (between layers) and sizes are known.
         `form: residual` is bidirectional, adds the input and scales to unit length.
"""

import torch
from torch import Tensor, nn

from avfusion.errors import ConfigError
from avfusion.fusion.base import Fused, Fusion
from avfusion.fusion.layers.bilstm import ResidualBiLSTM
from avfusion.registry import fusions


@fusions.add("lstm")
class LstmFusion(Fusion):
    """One LSTM over the concatenated modalities, or one per modality."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        *,
        steps: int,
        form: str = "plain",
        per_modality: bool = False,
        hidden: int = 512,
        layers: int = 2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if form not in ("plain", "residual"):
            raise ConfigError(f"lstm: form is {form!r}; set `plain` or `residual`.")
        kind: type[_Plain] | type[ResidualBiLSTM] = _Plain if form == "plain" else ResidualBiLSTM
        widths = [video_dim, audio_dim] if per_modality else [audio_dim + video_dim]
        self.blocks = nn.ModuleList(
            kind(width, hidden, layers=layers, dropout=dropout) for width in widths
        )
        self.per_modality = per_modality
        self.out_dim = hidden * len(widths)

    def forward(
        self, audio: Tensor, video: Tensor, audio_present: Tensor, video_present: Tensor
    ) -> Fused:
        """audio (B, T, Da), video (B, T, Dv), present (B, T) -> features (B, T, out_dim)."""
        inputs = [video, audio] if self.per_modality else [torch.cat([audio, video], dim=-1)]
        hidden = [block(x) for block, x in zip(self.blocks, inputs, strict=True)]
        return Fused(torch.cat(hidden, dim=-1), {})


class _Plain(nn.Module):
    """x (B, T, inputs) -> the last layer's hidden states (B, T, hidden)."""

    def __init__(self, inputs: int, hidden: int, *, layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(inputs, hidden, layers, batch_first=True, dropout=between)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]
