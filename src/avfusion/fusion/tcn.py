"""Temporal convolutional network (TCN) over concatenated features, without attention.

Source   Bai, Kolter, Koltun: "An Empirical Evaluation of Generic Convolutional and Recurrent
         Networks for Sequence Modeling", 2018, arXiv:1803.01271, and its published code.
Idea     A baseline for fusion: it has a memory of the past but compares no modalities, so it shows
         how much of a fusion's gain is due to memory.

    X^0 = [X_v ; X_a]                                   (T, d_v + d_a)
    U^i = drop(relu(conv_1^i(X^i) * p)) * p             (T, c)    c = channels, i = 0 … levels - 1
    V^i = drop(relu(conv_2^i(U^i) * p)) * p             (T, c)    dilation 2^i, weight norm
    X^(i+1) = relu(V^i + R^i X^i) * p                   (T, c)    R^0: 1 x 1, else the identity
    Y   = X^levels                                      (T, c)

         p (T) is 1 where any modality is present. A clip of Y sees 2 (kernel - 1) (2^levels - 1)
         other clips: 120 by default. No weight depends on the length of a window.
Options  `causal: false` centres the convolutions, so that a clip sees as many later as earlier
         clips, for offline use; the published ones see only earlier clips. `modalities` as in
         concat.py. Kernel, levels and dropout are those of the TCN in the code of JCA and RJCMA.
Masks    An absent clip is a row of zeros before and after each convolution, as is the padding.
Init     As in effect in the published code: R^0 is normal with deviation 0.01; the convolutions
         have PyTorch's initialisation, because weight norm undoes the one that it sets.
Departs  Absent clips do not occur in the paper. Its dropout sets whole channels to 0; ours sets
         single values to 0, as its published code and that of RJCMA do.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from avfusion.errors import ConfigError
from avfusion.fusion.layers.over_time import OverTime
from avfusion.registry import fusions


@fusions.add("tcn")
class TemporalConvolutions(OverTime):
    """Levels of dilated convolutions over the concatenated modalities."""

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int = 0,
        *,
        steps: int,
        modalities: Any = ("audio", "video"),
        channels: int = 128,
        levels: int = 4,
        kernel: int = 5,
        dropout: float = 0.1,
        causal: bool = True,
    ) -> None:
        super().__init__("tcn", modalities, audio_dim, video_dim, text_dim)
        if min(channels, levels) < 1 or kernel < 2:
            raise ConfigError(
                f"tcn: channels is {channels}, levels {levels}, kernel {kernel}. Set `channels` "
                f"and `levels` to 1 or more and `kernel` to 2 or more."
            )
        self.levels = nn.ModuleList(
            _Level(channels if i else self.inputs, channels, kernel, 2**i, dropout, causal)
            for i in range(levels)
        )
        self.out_dim = channels

    def model(self, x: Tensor, present: Tensor) -> Tensor:
        """x (B, T, d), present (B, T) -> (B, T, channels)."""
        x, mask = x.mT, present[:, None]  # (B, d, T), (B, 1, T)
        for level in self.levels:
            x = level(x, mask)
        return x.mT


class _Level(nn.Module):
    """Two convolutions of one dilation, and the residual: (B, inputs, T) -> (B, channels, T)."""

    def __init__(
        self, inputs: int, channels: int, kernel: int, dilation: int, dropout: float, causal: bool
    ) -> None:
        super().__init__()
        self.first = weight_norm(nn.Conv1d(inputs, channels, kernel, dilation=dilation))
        self.second = weight_norm(nn.Conv1d(channels, channels, kernel, dilation=dilation))
        self.residual = nn.Identity() if inputs == channels else nn.Conv1d(inputs, channels, 1)
        if isinstance(self.residual, nn.Conv1d):
            nn.init.normal_(self.residual.weight, std=0.01)
        self.dropout = nn.Dropout(dropout)
        reach = (kernel - 1) * dilation
        later = 0 if causal else reach // 2
        earlier = reach - later
        # An even kernel has one clip more on one side; the second convolution has it on the other.
        self.paddings = (earlier, later), (earlier, later) if causal else (later, earlier)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = x
        for convolution, padding in zip((self.first, self.second), self.paddings, strict=True):
            y = self.dropout(torch.relu(convolution(F.pad(y, padding)) * mask))
        return torch.relu(y + self.residual(x)) * mask
