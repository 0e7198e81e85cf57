"""Small convolutional network on aligned faces, fitted to the gold of the corpus, then frozen.

The input is the aligned face in grey at 56x56 minus the video's mean picture. The network so sees
the movement of a face and not its identity, which is the easier cue when there are only tens of
people to learn from. The mean needs the complete video; `at_rest: false` does not subtract it.
Four convolutions keep positions, because faces are aligned; the embedding is averaged over the
faces of a clip. Only train and validation gold is used; the loss is the CCC of each target.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders import colour
from avfusion.encoders.faces import AveragedFaces, FaceTimes, face_batches, read_faces, thin
from avfusion.encoders.fitting import FittedEncoder
from avfusion.encoders.recipe import Recipe
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.training import device

SIDE_PX = 56


REST_HZ = 2.0


GREYS = 32.0
"""Approximate standard deviation of a face's grey levels."""


@encoders.add("face_cnn")
class FaceCnn(FaceTimes, AveragedFaces, FittedEncoder):
    """`dim` numbers in (-1, 1) per clip; embeds `frame_hz` faces per second, fits on `fit_hz`.

    Parameters
    ----------
    brightness
        Each face is multiplied by a draw from U(1 - brightness, 1 + brightness). The mean level is
        subtracted from a face, so this changes its contrast. With `brightness` or `contrast`, the
        usual factor of 0.67 to 1.5 is left out. T-BIOM: 0.2.
    contrast
        Each face is multiplied by such a draw. T-BIOM: 0.2.
    flip
        Share of the faces that are mirrored.
    """

    modality = "video"
    read_hz = 12.5

    def __init__(
        self,
        *,
        dim: int = 64,
        frame_hz: float = 12.5,
        fit_hz: float = 6.25,
        epochs: int = 22,
        batch: int = 64,
        lr: float = 1e-3,
        most: int = 40_000,
        at_rest: bool = True,
        seed: int = 0,
        brightness: float | None = None,
        contrast: float | None = None,
        flip: float = 0.5,
    ) -> None:
        colour.check("face_cnn", brightness, contrast, flip)
        self.brightness, self.contrast, self.flip = brightness, contrast, flip
        self.dim, self.frame_hz, self.fit_hz, self.at_rest = dim, frame_hz, fit_hz, at_rest
        self.recipe = Recipe(epochs, batch, lr, 1e-2, patience=epochs, most=most, seed=seed)

    def new_net(self, settings: EncoderSettings) -> nn.Module:
        """Return a network with new weights."""
        return _Net(self.dim, self.outputs)

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor:
        """Return pictures float16 (N, 56, 56) of the frames at these times."""
        frames = np.searchsorted(record.frames["time_s"].to_numpy(), times_s)
        rest = self._rest(record)
        return torch.cat([(_grey(f) - rest).half() for _, f in read_faces(record, frames)])

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror, move, turn, scale, relight, add grain to and partly cover the pictures."""
        moved = _move(inputs.float(), self.flip, generator)
        grain = 6 * torch.rand((len(moved), 1, 1), generator=generator)
        return _spoil(moved * self._contrasts(len(moved), generator), grain, generator)

    def _contrasts(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw a factor per picture (B, 1, 1): 0.67 to 1.5, or as the options say."""
        if self.brightness is None and self.contrast is None:
            return torch.exp((torch.rand((count, 1, 1), generator=generator) * 2 - 1) * 0.4)
        bright, strong = (
            colour.factors(count, spread, generator) for spread in (self.brightness, self.contrast)
        )
        return (bright * strong)[:, None, None]

    def read(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield frames (B,) and their pictures, float32 (B, 56, 56)."""
        rest = self._rest(record)
        for frames, faces in face_batches(record, ends_s, clip_s, self.frame_hz):
            yield frames, _grey(faces) - rest

    def embed(self, faces: Tensor) -> Tensor:
        """Return the embeddings (B, D) of pictures (B, 56, 56)."""
        embedded: Tensor = self.net(device.moved(faces, device.of(self.net)))[0]
        return embedded

    def _rest(self, record: MediaRecord) -> Tensor:
        """Return the video's mean picture (56, 56), from `REST_HZ` faces per second, or 0."""
        faces = record.with_face
        total, count = torch.zeros(SIDE_PX, SIDE_PX), 0
        if self.at_rest:
            chosen = faces[thin(record.frames["time_s"].to_numpy()[faces], REST_HZ)]
            for _, chunk in read_faces(record, chosen):
                total, count = total + _grey(chunk).sum(0), count + len(chunk)
        return total / max(count, 1)


def _grey(faces: Tensor) -> Tensor:
    """Convert RGB uint8 (B, side, side, 3) to grey (B, 56, 56) of zero mean (Rec. 601)."""
    grey = faces.float() @ torch.tensor([0.299, 0.587, 0.114])  # (B, side, side)
    grey = F.adaptive_avg_pool2d(grey, SIDE_PX)
    return grey - grey.mean((1, 2), keepdim=True)


def _move(pictures: Tensor, flip: float, generator: torch.Generator) -> Tensor:
    """Mirror a share of (B, 56, 56); move by up to 3 px, turn by up to 7°, scale by up to 8 %."""
    count = len(pictures)
    draw = torch.rand(count, 5, generator=generator) * 2 - 1  # (B, 5) in (-1, 1)
    mirror = torch.where(draw[:, 0] > 2 * flip - 1, 1.0, -1.0)
    angle, scale = 0.12 * draw[:, 1], 1 + 0.08 * draw[:, 2]
    shift = draw[:, 3:, None] * (6 / SIDE_PX)  # a side is 2 wide in the grid's unit
    turn = torch.stack([angle.cos() * mirror, -angle.sin(), angle.sin() * mirror, angle.cos()])
    place = torch.cat([(turn * scale).T.reshape(count, 2, 2), shift], -1)  # (B, 2, 3)
    grid = F.affine_grid(place, [count, 1, SIDE_PX, SIDE_PX], align_corners=False)
    pictures = pictures[:, None]
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)[:, 0]


def _spoil(pictures: Tensor, grain: Tensor, generator: torch.Generator) -> Tensor:
    """Add grain of deviation (B, 1, 1); cover a quarter of the side in half of (B, 56, 56)."""
    one = (len(pictures), 1, 1)
    pictures = pictures + grain * torch.randn(pictures.shape, generator=generator)
    size, place = SIDE_PX // 4, torch.arange(SIDE_PX)
    corner = torch.randint(SIDE_PX - size, (len(pictures), 2), generator=generator)
    stripes = (place >= corner[..., None]) & (place < corner[..., None] + size)  # (B, 2, 56)
    patch = stripes[:, 0, :, None] & stripes[:, 1, None]
    covered = patch & (torch.rand(one, generator=generator) < 0.5)
    return pictures.masked_fill(covered, 0.0)


class _Net(nn.Module):
    def __init__(self, dim: int, outputs: int) -> None:
        super().__init__()
        widths = (1, 16, 32, 64)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):  # 56 -> 28 -> 14 -> 7
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after)]
            layers += [nn.ReLU()]
        self.look = nn.Sequential(*layers, nn.Conv2d(64, 32, 1), nn.ReLU(), nn.Flatten())
        self.embed = nn.Sequential(nn.Dropout(0.3), nn.Linear(32 * 7 * 7, dim), nn.Tanh())
        self.rate = nn.Linear(dim, outputs)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures (B, 56, 56) to embeddings (B, D) and targets (B, K)."""
        x = pictures.float() / GREYS
        embedding = self.embed(self.look(x[:, None]))
        return embedding, self.rate(embedding)
