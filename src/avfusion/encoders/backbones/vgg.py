"""VGG networks: VGGish for sound, VGG-Face for faces, and the audio network of CA.

Source   VGGish: Hershey et al.: "CNN Architectures for Large-Scale Audio Classification", ICASSP
         2017; the layers of its public release (configuration A of VGG with one channel, four
         groups of convolutions). VGG-Face: Parkhi, Vedaldi, Zisserman: "Deep Face Recognition",
         BMVC 2015, Table 3. CA: Praveen et al., FG 2021, and its published code.
Names    VGGish: `features.<n>`, `embeddings.<n>`; VGG-Face: `conv1_1` … `fc7`, of the public
         PyTorch files. CA publishes no weights.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avfusion.encoders.backbones.base import Backbone, he_init, pixels, scaled

VGGISH = ((64,), (128,), (256, 256), (512, 512))
VGG_FACE = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the convolutions between two maxima."""


FACE_MEAN = (129.1863, 104.7624, 93.5940)
"""Mean RGB of VGG-Face's training pictures, 0 to 255."""


FACE_PX = 224
READS = (FACE_PX, tuple(m / 255 for m in FACE_MEAN), (1 / 255,) * 3)
"""Side, mean and deviation of the pictures that the network reads; see `pixels`."""


VGGISH_LEAVE_OUT = ("pproc.",)
VGG_FACE_LEAVE_OUT = ("fc8.",)


class VGGish(Backbone):
    """Map log-mel patches (B, 96, 64) to (B, 128), before the last ReLU."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, hidden = 1, scaled(4096, width)
        for group in VGGISH:
            for channels in group:
                layers += [nn.Conv2d(inputs, scaled(channels, width), 3, 1, 1), nn.ReLU()]
                inputs = scaled(channels, width)
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.dim = scaled(128, width)
        self.embeddings = nn.Sequential(
            nn.Linear(6 * 4 * inputs, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, self.dim),
        )
        he_init(self)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the six convolutions and the three linear layers."""
        kinds = nn.Conv2d | nn.Linear
        return [layer for layer in [*self.features, *self.embeddings] if isinstance(layer, kinds)]

    def forward(self, patches: Tensor) -> Tensor:
        """patches (B, 96, 64) -> (B, 128)."""
        x = self.features(patches[:, None].float())  # (B, 512, 6, 4)
        return self.embeddings(x.permute(0, 2, 3, 1).flatten(1))  # channel last, as in TensorFlow


class VggFace(Backbone):
    """Map faces uint8 RGB (N, h, w, 3) to `fc7` after its ReLU, (N, 4096)."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        inputs = 3
        for number, group in enumerate(VGG_FACE, start=1):
            for place, channels in enumerate(group, start=1):
                outputs = scaled(channels, width)
                self.add_module(f"conv{number}_{place}", nn.Conv2d(inputs, outputs, 3, 1, 1))
                inputs = outputs
        self.dim = scaled(4096, width)
        self.fc6 = nn.Linear(inputs * (FACE_PX // 32) ** 2, self.dim)
        self.fc7 = nn.Linear(self.dim, self.dim)
        self.dropout = nn.Dropout(0.5)
        he_init(self)
        with torch.no_grad():
            self.get_parameter("conv1_1.weight").div_(128)  # pixels are within about 128

    def blocks(self) -> Sequence[nn.Module]:
        """Return the thirteen convolutions and the two linear layers."""
        kinds = nn.Conv2d | nn.Linear
        return [layer for layer in self.children() if isinstance(layer, kinds)]

    def forward(self, faces: Tensor) -> Tensor:
        """faces uint8 (N, h, w, 3) -> (N, 4096)."""
        x = pixels(faces, *READS)
        for number, group in enumerate(VGG_FACE, start=1):
            for place in range(1, len(group) + 1):
                x = F.relu(self.get_submodule(f"conv{number}_{place}")(x))
            x = F.max_pool2d(x, 2)
        x = self.dropout(F.relu(self.fc6(x.flatten(1))))
        return F.relu(self.fc7(x))


class SpectrogramCnn(Backbone):
    """Map spectrograms (B, 128, 65) to (B, 1024); they become 13 x 2 before the mean."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        n = [scaled(channels, width) for channels in (64, 128, 256, 512, 1024)]
        self.conv1, self.bn1 = nn.Conv2d(1, n[0], 5, (1, 2)), nn.BatchNorm2d(n[0])
        self.conv2 = nn.Conv2d(n[0], n[1], 5, (1, 2), 1)
        self.conv3, self.bn3 = nn.Conv2d(n[1], n[2], 3, 1, 1), nn.BatchNorm2d(n[2])
        self.conv4 = nn.Conv2d(n[2], n[3], 5, 1, 1)
        self.conv5 = nn.Conv2d(n[3], n[4], 3, 1, 1)
        self.dim = n[4]
        he_init(self)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the five convolutions, with their batch normalisation."""
        first, third = nn.ModuleList([self.conv1, self.bn1]), nn.ModuleList([self.conv3, self.bn3])
        return [first, self.conv2, third, self.conv4, self.conv5]

    def forward(self, spectra: Tensor) -> Tensor:
        """spectra (B, 128, 65) -> (B, 1024)."""
        x = F.relu(self.bn1(self.conv1(spectra[:, None].float())))
        x = F.relu(self.conv2(F.max_pool2d(x, (4, 2))))
        x = self.bn3(F.relu(self.conv3(x)))
        x = F.max_pool2d(x, 2, ceil_mode=True)
        x = F.relu(self.conv5(F.relu(self.conv4(x))))  # (B, 1024, 13, 2)
        return x.mean((2, 3))
