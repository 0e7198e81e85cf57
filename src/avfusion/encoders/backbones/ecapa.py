"""ECAPA-TDNN, a network over time for speakers.

Source   Desplanques, Thienpondt, Demuynck: "ECAPA-TDNN", Interspeech 2020, arXiv:2005.07143, with
         1024 channels, in the layers of SpeechBrain's public model.
Names    Those of SpeechBrain's file `embedding_model.ckpt`: `blocks.0.conv.conv`,
         `blocks.1.res2net_block.blocks.0.norm.norm`, `asp.tdnn`, `asp_bn.norm`, `fc.conv`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avfusion.encoders.backbones.base import Backbone, scaled

BANDS = 80
GROUPS = 8
"""Parts of the channels in a Res2Net block."""
LEAST = 1e-12
"""Least variance of the statistics over time."""


class EcapaTdnn(Backbone):
    """Map log-mel bands (B, frames, 80), with mean 0 over time, to (B, 192)."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        part = scaled(128, width)
        channels, wide, attention = GROUPS * part, 3 * GROUPS * part, scaled(128, width)
        self.dim = scaled(192, width)
        self.layers = nn.ModuleList([_Tdnn(BANDS, channels, 5, 1)])
        self.layers.extend(
            _SqueezedRes2Net(channels, attention, dilation) for dilation in (2, 3, 4)
        )
        self.mfa = _Tdnn(3 * channels, wide, 1, 1)
        self.asp = _StatisticsPooling(wide, attention)
        self.asp_bn = _Norm(2 * wide)
        self.fc = _Conv(2 * wide, self.dim, 1)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the four blocks over time, the aggregation, and pooling with the last layer."""
        return [*self.layers, self.mfa, nn.ModuleList([self.asp, self.asp_bn, self.fc])]

    def forward(self, bands: Tensor) -> Tensor:
        """bands (B, frames, 80) -> (B, 192)."""
        x = bands.mT
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        x = self.mfa(torch.cat(outputs[1:], dim=1))
        pooled = self.fc(self.asp_bn(self.asp(x)))
        return pooled[..., 0]


class _Conv(nn.Module):
    """A convolution over time that keeps the length; the signal is mirrored at its ends."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        edge = dilation * (kernel - 1) // 2
        self.conv = nn.Conv1d(
            inputs, outputs, kernel, dilation=dilation, padding=edge, padding_mode="reflect"
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class _Norm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class _Tdnn(nn.Module):
    """Convolution, ReLU, batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.conv = _Conv(inputs, outputs, kernel, dilation)
        self.norm = _Norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x).relu())


class _Res2Net(nn.Module):
    """The first part of the channels passes; each other one also reads the result before it."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        part = channels // GROUPS
        self.blocks = nn.ModuleList(_Tdnn(part, part, 3, dilation) for _ in range(GROUPS - 1))

    def forward(self, x: Tensor) -> Tensor:
        first, *parts = x.chunk(GROUPS, dim=1)
        results = [first]
        for number, (part, block) in enumerate(zip(parts, self.blocks, strict=True)):
            results.append(block(part + results[-1] if number else part))
        return torch.cat(results, dim=1)


class _Squeeze(nn.Module):
    """Weigh channels by their means over time."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _Conv(channels, hidden, 1), _Conv(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=2, keepdim=True)
        return self.conv2(self.conv1(means).relu()).sigmoid() * x


class _SqueezedRes2Net(nn.Module):
    def __init__(self, channels: int, hidden: int, dilation: int) -> None:
        super().__init__()
        self.tdnn1 = _Tdnn(channels, channels, 1, 1)
        self.res2net_block = _Res2Net(channels, dilation)
        self.tdnn2 = _Tdnn(channels, channels, 1, 1)
        self.se_block = _Squeeze(channels, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.se_block(self.tdnn2(self.res2net_block(self.tdnn1(x)))) + x


class _StatisticsPooling(nn.Module):
    """Weighted mean and deviation over time; weights also read the plain ones."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.tdnn = _Tdnn(3 * channels, hidden, 1, 1)
        self.conv = _Conv(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, T) -> (B, 2 C, 1)."""
        even = torch.full_like(x[:, :1], 1 / x.shape[-1])
        plain = [one.expand_as(x) for one in _statistics(x, even)]
        weights = self.conv(self.tdnn(torch.cat([x, *plain], dim=1)).tanh()).softmax(dim=2)
        return torch.cat(_statistics(x, weights), dim=1)


def _statistics(x: Tensor, weights: Tensor) -> list[Tensor]:
    """Return mean and deviation (B, C, 1) of x (B, C, T) under weights that add up to 1."""
    mean = (weights * x).sum(dim=2, keepdim=True)
    variance = (weights * (x - mean).square()).sum(dim=2, keepdim=True)
    return [mean, variance.clamp(min=LEAST).sqrt()]


def of_speechbrain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of SpeechBrain's file under the names of this network."""
    prefix = "blocks."
    return {
        f"layers.{name.removeprefix(prefix)}" if name.startswith(prefix) else name: x
        for name, x in tensors.items()
    }
