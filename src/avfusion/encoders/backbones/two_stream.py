"""R(2+1)D-18 and ResNet-18 with one channel, the halves of the two-stream network of ABAW 2020.

Source   Kuhnke, Rumberg, Ostermann: "Two-Stream Aural-Visual Affect Analysis in the Wild", FG 2020;
         Tran et al.: "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR
         2018; He et al.: "Deep Residual Learning for Image Recognition", CVPR 2016.
Names    Those of the public file: `video_model.r2plus1d.` and `audio_model.resnet.` before the
         names of torchvision. A file of torchvision's own networks has no such prefix.
Departs  The stem of the published video half has a fourth channel, a mask of the face. Its kernels
         are dropped, as in T-BIOM, RJCA and DCA, which have no mask.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from avfusion.encoders.backbones.base import Backbone, he_init, pixels, scaled

SIDE_PX = 112
KINETICS_MEAN = (0.43216, 0.394666, 0.37645)
KINETICS_DEVIATION = (0.22803, 0.22145, 0.216989)
READS = (SIDE_PX, KINETICS_MEAN, KINETICS_DEVIATION)
"""Side, mean and deviation of the pictures that the network reads; see `pixels`."""


LEAVE_OUT = ("fc.",)


WIDTHS = (64, 128, 256, 512)


class R2Plus1d(Backbone):
    """Map clips uint8 RGB (B, T, h, w, 3) to their map (B, 512 x 7 x 7), channel first, or mean.

    Parameters
    ----------
    width
        Share of the published channels.
    pooled
        Whether the embedding is the mean over places, (B, 512).
    """

    def __init__(self, *, width: float = 1.0, pooled: bool = False) -> None:
        super().__init__()
        n = [scaled(channels, width) for channels in WIDTHS]
        between = scaled(45, width)
        self.stem = nn.Sequential(
            nn.Conv3d(3, between, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
            nn.BatchNorm3d(between),
            nn.ReLU(),
            nn.Conv3d(between, n[0], (3, 1, 1), padding=(1, 0, 0), bias=False),
            nn.BatchNorm3d(n[0]),
            nn.ReLU(),
        )
        for number, (before, after) in enumerate(zip([n[0], *n[:3]], n, strict=True), start=1):
            first = _Block3d(before, after, 1 if number == 1 else 2)
            self.add_module(f"layer{number}", nn.Sequential(first, _Block3d(after, after, 1)))
        self.mean, self.places = pooled, 1 if pooled else (SIDE_PX // 16) ** 2
        self.channels, self.dim = n[3], n[3] * self.places
        he_init(self)

    @property
    def head_dim(self) -> int:
        """512; the output layer reads the mean over places."""
        return self.channels

    def pooled(self, embedding: Tensor) -> Tensor:
        """Return the mean over places (B, 512) of a map (B, 512 x 7 x 7)."""
        return embedding.unflatten(1, (self.channels, self.places)).mean(2)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the stem and the eight residual blocks."""
        return [self.stem, *(block for n in (1, 2, 3, 4) for block in _layer(self, n))]

    def forward(self, clips: Tensor) -> Tensor:
        """clips (B, T, h, w, 3) -> (B, dim); the mean over what is left of time."""
        x = pixels(clips, *READS)
        x = x.unflatten(0, clips.shape[:2]).transpose(1, 2)  # (B, 3, T, side, side)
        for block in self.blocks():
            x = block(x)
        x = x.mean(2)  # (B, 512, 7, 7)
        return x.mean((2, 3)) if self.mean else x.flatten(1)


class ResNet18(Backbone):
    """Map spectrograms (B, bands, T) to (B, 512)."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        n = [scaled(channels, width) for channels in WIDTHS]
        self.conv1 = nn.Conv2d(1, n[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(n[0])
        for number, (before, after) in enumerate(zip([n[0], *n[:3]], n, strict=True), start=1):
            first = _Block2d(before, after, 1 if number == 1 else 2)
            self.add_module(f"layer{number}", nn.Sequential(first, _Block2d(after, after, 1)))
        self.dim = n[3]
        he_init(self)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the stem and the eight residual blocks."""
        stem = nn.ModuleList([self.conv1, self.bn1])
        return [stem, *(block for n in (1, 2, 3, 4) for block in _layer(self, n))]

    def forward(self, spectra: Tensor) -> Tensor:
        """spectra (B, bands, T) -> (B, 512)."""
        x = F.relu(self.bn1(self.conv1(spectra[:, None].float())))
        x = F.max_pool2d(x, 3, 2, 1)
        for block in self.blocks()[1:]:
            x = block(x)
        return x.mean((2, 3))


class _Block3d(nn.Module):
    """Residual block of two pairs of a convolution in space and one in time."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        # As many weights as two 3x3x3 convolutions have (Tran et al., section 3.5).
        between = inputs * outputs * 27 // (inputs * 9 + 3 * outputs)
        first, second = _pair(inputs, between, outputs, stride), _pair(outputs, between, outputs)
        self.conv1 = nn.Sequential(first, nn.BatchNorm3d(outputs), nn.ReLU())
        self.conv2 = nn.Sequential(second, nn.BatchNorm3d(outputs))
        shortcut = nn.Conv3d(inputs, outputs, 1, stride, bias=False)
        changes = stride > 1 or inputs != outputs
        self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(outputs)) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        same = x if self.downsample is None else self.downsample(x)
        return F.relu(self.conv2(self.conv1(x)) + same)


class _Block2d(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        changes = stride > 1 or inputs != outputs
        self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs)) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        same = x if self.downsample is None else self.downsample(x)
        x = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(x + same)


def _pair(inputs: int, between: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A convolution in space, and one in time."""
    return nn.Sequential(
        nn.Conv3d(inputs, between, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
        nn.BatchNorm3d(between),
        nn.ReLU(),
        nn.Conv3d(between, outputs, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
    )


def _layer(net: nn.Module, number: int) -> nn.Sequential:
    layer = net.get_submodule(f"layer{number}")
    assert isinstance(layer, nn.Sequential)
    return layer


def video_half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of `R2Plus1d`, without the stem's mask channel."""
    tensors = _half(tensors, "video_model.r2plus1d.")
    stem = tensors.get("stem.0.weight")
    return tensors if stem is None else tensors | {"stem.0.weight": stem[:, :3]}


def audio_half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of `ResNet18`; the mean over the channels of a first kernel with three."""
    tensors = _half(tensors, "audio_model.resnet.")
    first = tensors.get("conv1.weight")
    return tensors if first is None else tensors | {"conv1.weight": first.mean(1, keepdim=True)}


def _half(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors under a prefix without it; all of them if none has it."""
    half = {n.removeprefix(prefix): x for n, x in tensors.items() if n.startswith(prefix)}
    return half or tensors
