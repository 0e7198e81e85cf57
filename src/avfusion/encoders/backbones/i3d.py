"""Inception-v1 I3D (two-stream network, RGB half) and its inflation from a 2-D Inception-v1.

Source   Carreira, Zisserman: "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset",
         CVPR 2017, Fig. 3; widths of the modules from Szegedy et al., CVPR 2015, Table 1.
Names    Those of the public PyTorch files (`Conv3d_1a_7x7.conv3d.weight`, `Mixed_3b.b1a.bn.bias`).
Padding  "SAME" of TensorFlow: a convolution of stride s gives ceil(n / s) values, and an odd number
         of zeros has one more at the end.
Inflated A kernel is repeated over time and divided by its length. In time, the first and last frame
         are then repeated instead of padded by zeros, so that a clip of equal frames gives exactly
         the activations of the 2-D network. The first convolution pads as torchvision's GoogLeNet.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avfusion.encoders.backbones.base import Backbone, he_init, pixels, scaled
from avfusion.encoders.backbones.tcn import TCN

SIDE_PX = 224
"""Side of the picture that the network reads; any other side is resized to it."""


HALF = (0.5, 0.5, 0.5)
READS = (SIDE_PX, HALF, HALF)
"""Side, mean and deviation of the pictures that the network reads; see `pixels`."""
"""Mean and deviation of a channel: pixels are in [-1, 1]."""


class Mix(NamedTuple):
    """Widths of a module: 1x1; 3x3 and its reduction; the second of these; after pooling."""

    b0: int
    b1a: int
    b1b: int
    b2a: int
    b2b: int
    b3b: int


MIXED = {
    "3b": Mix(64, 96, 128, 16, 32, 32),
    "3c": Mix(128, 128, 192, 32, 96, 64),
    "4b": Mix(192, 96, 208, 16, 48, 64),
    "4c": Mix(160, 112, 224, 24, 64, 64),
    "4d": Mix(128, 128, 256, 24, 64, 64),
    "4e": Mix(112, 144, 288, 32, 64, 64),
    "4f": Mix(256, 160, 320, 32, 128, 128),
    "5b": Mix(256, 160, 320, 32, 128, 128),
    "5c": Mix(384, 192, 384, 48, 128, 128),
}


POOLS = {"2a": ((1, 3, 3), (1, 2, 2)), "3a": ((1, 3, 3), (1, 2, 2)), "4a": ((3, 3, 3), (2, 2, 2))}
POOLS |= {"5a": ((2, 2, 2), (2, 2, 2))}
"""Kernel and stride of the maxima before the modules of the same number."""


LEAVE_OUT = ("logits.", "aux1.", "aux2.", "fc.")
"""Classifiers of the published files."""


class InceptionI3d(Backbone):
    """Map clips uint8 RGB (B, T, h, w, 3) to (B, 1024).

    Parameters
    ----------
    width
        Share of the published channels.
    inflated
        See `Inflated` above; otherwise, padding is by zeros.
    dense
        Whether all temporal strides are 1.
    """

    def __init__(self, *, width: float = 1.0, inflated: bool = False, dense: bool = False) -> None:
        super().__init__()
        n = [scaled(channels, width) for channels in (64, 64, 192)]
        self.dense, step = dense, 1 if dense else 2
        self.Conv3d_1a_7x7 = Unit(3, n[0], 7, step, 2, repeat=inflated, early=inflated)
        self.Conv3d_2b_1x1 = Unit(n[0], n[1], 1)
        self.Conv3d_2c_3x3 = Unit(n[1], n[2], 3, repeat=inflated)
        inputs = n[2]
        for name, mix in MIXED.items():
            module = Mixed(inputs, Mix(*(scaled(channels, width) for channels in mix)), inflated)
            self.add_module(f"Mixed_{name}", module)
            inputs = module.outputs
        self.dim = inputs
        he_init(self)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the three convolutions and the nine modules."""
        stem = [self.Conv3d_1a_7x7, self.Conv3d_2b_1x1, self.Conv3d_2c_3x3]
        return [*stem, *(self.get_submodule(f"Mixed_{name}") for name in MIXED)]

    def forward(self, clips: Tensor) -> Tensor:
        """clips (B, T, h, w, 3) -> (B, 1024), the mean over time."""
        return self.steps(clips).mean(2)

    def steps(self, clips: Tensor) -> Tensor:
        """clips (B, T, h, w, 3) -> (B, 1024, T'), the mean over places."""
        x = pixels(clips, *READS).unflatten(0, clips.shape[:2]).transpose(1, 2)
        x = self.Conv3d_2b_1x1(self._pool("2a", self.Conv3d_1a_7x7(x)))
        x = self._pool("3a", self.Conv3d_2c_3x3(x))
        for name in MIXED:
            if name in ("4b", "5b"):
                x = self._pool(f"{name[0]}a", x)
            x = self.get_submodule(f"Mixed_{name}")(x)
        x = x.mean((3, 4))  # (B, 1024, T')
        return F.avg_pool1d(x, 2, 1) if x.shape[2] > 1 else x  # published: over two steps each

    def _pool(self, name: str, x: Tensor) -> Tensor:
        kernel, stride = POOLS[name]
        stride = (1, *stride[1:]) if self.dense else stride
        return F.max_pool3d(padded(x, kernel, stride), kernel, stride)


class I3dTcn(Backbone):
    """I3D without temporal strides and a temporal network: clips (B, T, h, w, 3) to (B, 512).

    Source: Praveen et al., CVPR Workshops 2022: 8 frames, 4 levels of 512 channels, maximum over
    time. The temporal network is in no block, so it is always trained.
    """

    def __init__(self, *, width: float = 1.0, inflated: bool = False) -> None:
        super().__init__()
        self.i3d = InceptionI3d(width=width, inflated=inflated, dense=True)
        self.dim = scaled(512, width)
        self.tcn = TCN(self.i3d.dim, [self.dim] * 4, channel_dropout=True)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the blocks of the I3D."""
        return self.i3d.blocks()

    def forward(self, clips: Tensor) -> Tensor:
        """clips (B, T, h, w, 3) -> (B, 512)."""
        return self.tcn(self.i3d.steps(clips)).amax(2)


class Unit(nn.Module):
    """Convolution, batch normalisation and ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        time_stride: int = 1,
        stride: int = 1,
        *,
        repeat: bool = False,
        early: bool = False,
    ) -> None:
        super().__init__()
        self.stride, self.repeat, self.early = (time_stride, stride, stride), repeat, early
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, self.stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, T, H, W) -> (B, outputs, T', H', W')."""
        kernel = (self.conv3d.kernel_size[0],) * 3
        x = padded(x, kernel, self.stride, repeat=self.repeat, early=self.early)
        return F.relu(self.bn(self.conv3d(x)))


class Mixed(nn.Module):
    """Four branches, whose outputs are concatenated."""

    def __init__(self, inputs: int, mix: Mix, repeat: bool) -> None:
        super().__init__()
        self.b0 = Unit(inputs, mix.b0, 1)
        self.b1a = Unit(inputs, mix.b1a, 1)
        self.b1b = Unit(mix.b1a, mix.b1b, 3, repeat=repeat)
        self.b2a = Unit(inputs, mix.b2a, 1)
        self.b2b = Unit(mix.b2a, mix.b2b, 3, repeat=repeat)
        self.b3b = Unit(inputs, mix.b3b, 1)
        self.outputs = mix.b0 + mix.b1b + mix.b2b + mix.b3b

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, T, H, W) -> (B, outputs, T, H, W)."""
        highest = F.max_pool3d(padded(x, (3, 3, 3), (1, 1, 1)), 3, 1)
        branches = self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(highest)
        return torch.cat(branches, 1)


def padded(
    x: Tensor,
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int],
    *,
    repeat: bool = False,
    early: bool = False,
) -> Tensor:
    """Return x (B, C, T, H, W) padded as TensorFlow's "SAME".

    repeat: repeat the first and last frame instead of zeros. early: an odd number of zeros has one
    more at the start. Maxima are of values that are not negative, so zeros do not change them.
    """
    ends = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        total = max(k - (size % s or s), 0)
        before = -(-total // 2) if early else total // 2
        ends.append((before, total - before))
    (first, last), rows, columns = ends
    if repeat and (first or last):
        start, end = x[:, :, :1], x[:, :, -1:]
        x = torch.cat([start.repeat(1, 1, first, 1, 1), x, end.repeat(1, 1, last, 1, 1)], 2)
        first = last = 0
    return F.pad(x, (*columns, *rows, first, last))


TORCHVISION = {"conv1": "Conv3d_1a_7x7", "conv2": "Conv3d_2b_1x1", "conv3": "Conv3d_2c_3x3"}
BRANCHES = {"1": "b0", "2.0": "b1a", "2.1": "b1b", "3.0": "b2a", "3.1": "b2b", "4.1": "b3b"}


def inflated(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a 2-D Inception-v1 as those of an I3D; names without `LEAVE_OUT`.

    tensors: under the names of torchvision's GoogLeNet (`inception3a.branch2.0.conv.weight`) or
    those of the I3D. Kernels (out, in, k, k) become (out, in, k, k, k).
    """
    result = {}
    for name, x in tensors.items():
        if name.startswith(LEAVE_OUT):
            continue
        name = _renamed(name)
        if x.dim() == 4:
            x = (x / x.shape[-1])[:, :, None].repeat(1, 1, x.shape[-1], 1, 1)
        result[name] = x
    return result


def _renamed(name: str) -> str:
    first, _, rest = name.partition(".")
    module = re.fullmatch(r"inception(\d)([a-e])", first)
    if first in TORCHVISION:
        return f"{TORCHVISION[first]}.{rest}".replace(".conv.", ".conv3d.")
    if module is None:
        return name
    branch = re.match(r"branch(1|\d\.\d)\.", rest)
    if branch is None or branch[1] not in BRANCHES:
        return name
    letter = chr(ord(module[2]) + 1)  # inception3a is Mixed_3b
    rest = rest[branch.end() :].replace("conv.", "conv3d.")
    return f"Mixed_{module[1]}{letter}.{BRANCHES[branch[1]]}.{rest}"
