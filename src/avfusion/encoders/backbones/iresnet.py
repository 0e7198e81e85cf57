"""IResNet-18, the smallest residual network of ArcFace's later code.

Source   Duta et al.: "Improved Residual Networks", ICPR 2020, arXiv:2004.04989, and Deng et al.:
         "ArcFace", CVPR 2019, in the layers of insightface's public models.
Names    Those of insightface's `iresnet18`: `conv1`, `layer1.0.bn1`, `layer1.0.downsample.0`,
         `fc`, `features`.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from avfusion.encoders.backbones.base import Backbone, pixels, scaled
from avfusion.encoders.backbones.ir50 import Pointwise

FACE_PX = 112
HALF = (0.5, 0.5, 0.5)
READS = (FACE_PX, HALF, HALF)
"""Side, mean and deviation of the pictures that the network reads; see `pixels`."""


class IResNet18(Backbone):
    """Map faces uint8 RGB (N, h, w, 3) to (N, 512)."""

    def __init__(self, *, width: float = 1.0, bgr: bool = False) -> None:
        super().__init__()
        self.bgr, self.dim = bgr, scaled(512, width)
        first, *_, last = channels = [scaled(c, width) for c in (64, 64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(3, first, 3, 1, 1, bias=False)
        self.bn1, self.prelu = nn.BatchNorm2d(first), nn.PReLU(first)
        for number, (inputs, outputs) in enumerate(pairwise(channels), 1):
            layer = nn.Sequential(_Unit(inputs, outputs, 2), _Unit(outputs, outputs, 1))
            self.add_module(f"layer{number}", layer)
        self.bn2 = nn.BatchNorm2d(last)
        self.fc = nn.Linear(last * 7 * 7, self.dim)
        self.features = nn.BatchNorm1d(self.dim)

    @property
    def stages(self) -> list[nn.Module]:
        """The four groups of units."""
        return [self.get_submodule(f"layer{number}") for number in range(1, 5)]

    def blocks(self) -> Sequence[nn.Module]:
        """Return the first layer, the four stages and the output layer."""
        ends = [self.conv1, self.bn1, self.prelu], [self.bn2, self.fc, self.features]
        return [nn.ModuleList(ends[0]), *self.stages, nn.ModuleList(ends[1])]

    def forward(self, faces: Tensor) -> Tensor:
        """faces uint8 (N, h, w, 3) -> (N, 512)."""
        x = pixels(faces.flip(-1) if self.bgr else faces, *READS)
        x = self.prelu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = stage(x)
        return self.features(self.fc(self.bn2(x).flatten(1)))


class _Unit(nn.Module):
    """Residual unit: BN, convolution, BN, PReLU, convolution, BN."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2, self.prelu = nn.BatchNorm2d(outputs), nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            shortcut = Pointwise(inputs, outputs, stride)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        shortcut = x if self.downsample is None else self.downsample(x)
        result: Tensor = self.bn3(self.conv2(y)) + shortcut
        return result
