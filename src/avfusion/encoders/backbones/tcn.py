"""Temporal convolutional network over the embeddings of frames, as in the code of JCA and RJCMA.

Source   Bai, Kolter, Koltun: "An Empirical Evaluation of Generic Convolutional and Recurrent
         Networks for Sequence Modeling", 2018, arXiv:1803.01271. Kernel 5, dropout 0.1 and the
         leaky ReLU are those of the code of CVPRW 2022 and CVPRW 2024.

    u = drop(f(conv_1(x)))     v = drop(f(conv_2(u)))     y = f(v + R x)     f: leaky ReLU (0.01)

         The convolutions are causal and have weight norm and the dilation 2^i in level i. R is a
         1x1 convolution where the widths differ. A step sees 2 (5 - 1) (2^levels - 1) earlier ones.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

KERNEL, DROPOUT = 5, 0.1


class TCN(nn.Module):
    """Map sequences (B, inputs, T) to (B, widths[-1], T).

    channel_dropout: set complete channels to 0, as CVPRW 2022; otherwise single values.
    """

    def __init__(self, inputs: int, widths: Sequence[int], channel_dropout: bool = False) -> None:
        super().__init__()
        before = [inputs, *widths[:-1]]
        self.levels = nn.ModuleList(
            _Level(a, b, 2**i, channel_dropout)
            for i, (a, b) in enumerate(zip(before, widths, strict=True))
        )

    def forward(self, x: Tensor) -> Tensor:
        """x (B, inputs, T) -> (B, widths[-1], T)."""
        for level in self.levels:
            x = level(x)
        return x


class _Level(nn.Module):
    def __init__(self, inputs: int, outputs: int, dilation: int, channel_dropout: bool) -> None:
        super().__init__()
        self.reach = (KERNEL - 1) * dilation
        self.first = weight_norm(nn.Conv1d(inputs, outputs, KERNEL, dilation=dilation))
        self.second = weight_norm(nn.Conv1d(outputs, outputs, KERNEL, dilation=dilation))
        self.residual = nn.Identity() if inputs == outputs else nn.Conv1d(inputs, outputs, 1)
        self.dropout = nn.Dropout1d(DROPOUT) if channel_dropout else nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for convolution in (self.first, self.second):
            y = self.dropout(F.leaky_relu(convolution(F.pad(y, (self.reach, 0)))))
        return F.leaky_relu(y + self.residual(x))
