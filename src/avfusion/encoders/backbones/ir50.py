"""IR-50, the residual network of ArcFace with 50 layers.

Source   Deng et al.: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019,
         sections 3.1 and 3.2 (BN-Dropout-FC-BN, improved residual units).
Names    Those of the public PyTorch files: `input_layer`, `body.<n>.res_layer`, `output_layer`.
         The file of RJCMA has `backbone.` before them, and `logits`, which are left out.
Form     `arcface`: 112 px, each of the four stages halves the map, so the last one is 7x7.
         `rjcma`: 48 px, of which the middle 40 are used. Its output layer has 512 x 5 x 5 inputs,
         so the first stage keeps the size.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from avfusion.encoders.backbones.base import Backbone, pixels, scaled
from avfusion.encoders.backbones.tcn import TCN

Form = Literal["rjcma", "arcface"]
STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))
"""Channels and number of units of each stage."""


RESIZED: dict[Form, int] = {"rjcma": 48, "arcface": 112}
"""Side of the faces that are read, before the crop."""


CROPPED: dict[Form, int] = {"rjcma": 40, "arcface": 112}
"""Side of the middle of them, which the network reads."""


HALF = (0.5, 0.5, 0.5)
LEAVE_OUT = ("logits.",)


class Pointwise(nn.Conv2d):
    """A convolution of one pixel with a stride, which picks the pixels before it multiplies.

    The result is the same. oneDNN's own kernel for it corrupts memory in the backward pass on
    processors with AVX2 and without AVX-512, for few channels (PyTorch 2.11).
    """

    def __init__(self, inputs: int, outputs: int, step: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """x (N, inputs, h, w) -> (N, outputs, ceil(h / step), ceil(w / step))."""
        return super().forward(x[..., :: self.step, :: self.step])


class IR50(Backbone):
    """Map faces uint8 RGB (N, h, w, 3) to (N, 512)."""

    def __init__(self, *, width: float = 1.0, form: Form = "rjcma") -> None:
        super().__init__()
        self.resized, self.side = RESIZED[form], CROPPED[form]
        last = self.side // (8 if form == "rjcma" else 16)
        inputs, self.dim = scaled(64, width), scaled(512, width)
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, inputs, 3, 1, 1, bias=False), nn.BatchNorm2d(inputs), nn.PReLU(inputs)
        )
        units = []
        for number, (channels, count) in enumerate(STAGES):
            outputs = scaled(channels, width)
            stride = 1 if form == "rjcma" and number == 0 else 2
            units.append(_Unit(inputs, outputs, stride))
            units += [_Unit(outputs, outputs, 1) for _ in range(count - 1)]
            inputs = outputs
        self.body = nn.Sequential(*units)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(inputs * last * last, self.dim),
            nn.BatchNorm1d(self.dim),
        )

    def blocks(self) -> Sequence[nn.Module]:
        """Return the first layer, the four stages and the output layer."""
        stages, begin = [], 0
        for _, count in STAGES:
            stages.append(self.body[begin : begin + count])
            begin += count
        return [self.input_layer, *stages, self.output_layer]

    def forward(self, faces: Tensor) -> Tensor:
        """faces uint8 (N, h, w, 3) -> (N, 512)."""
        x = pixels(faces, self.resized, HALF, HALF)
        edge = (self.resized - self.side) // 2
        x = x[..., edge : edge + self.side, edge : edge + self.side]
        return self.output_layer(self.body(self.input_layer(x)))


class IR50Tcn(Backbone):
    """IR-50 and a temporal network over its embeddings: faces (B, T, h, w, 3) to (B, 512).

    Source: Praveen, Alam, CVPR Workshops 2024. The embedding is the last step of the temporal
    network, which is in no block, so it is always trained.
    """

    def __init__(self, *, width: float = 1.0, form: Form = "rjcma") -> None:
        super().__init__()
        self.ir50 = IR50(width=width, form=form)
        self.dim = self.ir50.dim
        self.tcn = TCN(self.dim, [self.dim] * 4)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the blocks of the IR-50."""
        return self.ir50.blocks()

    def forward(self, faces: Tensor) -> Tensor:
        """faces uint8 (B, T, h, w, 3) -> (B, 512)."""
        return self.last(self.ir50(faces.flatten(0, 1)).unflatten(0, faces.shape[:2]))

    def last(self, embeddings: Tensor) -> Tensor:
        """embeddings of faces (B, T, 512) -> the last step (B, 512)."""
        return self.tcn(embeddings.mT)[..., -1]


class _Unit(nn.Module):
    """Improved residual unit: BN, convolution, PReLU, convolution, BN."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != outputs:
            shortcut = Pointwise(inputs, outputs, stride)
            self.shortcut_layer = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


def of_rjcma(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without the prefix `backbone.`."""
    return {name.removeprefix("backbone."): x for name, x in tensors.items()}
