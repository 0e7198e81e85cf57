"""Pretrained expression network on aligned faces, last blocks fine-tuned on the corpus' gold.

Source   face-api's expression model, see weights/README.md; `face_expression` is the same network
         without tuning. The first blocks detect edges and parts, which all faces share, and stay
         frozen. The last `blocks` of four are trained at a low rate on the train partition's gold.
Departs  The seven posed classes are dropped. A linear layer predicts the targets from the 256-d
         pooled layer. This layer, averaged over the sampled faces of a clip, is the embedding.
"""

from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.config.schedules import Plateau
from avfusion.encoders import colour
from avfusion.encoders.expression_net import pretrained
from avfusion.encoders.faces import encode_faces, read_faces, thin
from avfusion.encoders.fitting import FittedEncoder
from avfusion.encoders.recipe import Recipe, Release, schedule_of
from avfusion.errors import ConfigError
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.training import device

BLOCKS = 4


@encoders.add("face_tuned")
class FaceTuned(FittedEncoder):
    """256 non-negative numbers per clip; embeds `frame_hz` faces per second, tunes on `fit_hz`.

    Parameters
    ----------
    release
        Groups into which the tuned blocks are divided, at most `blocks`. First only the output
        layer is trained; then the groups are released one after the other, the last blocks first.
        0 trains all tuned blocks from the first epoch. RJCMA: 3.
    release_when
        `stalled`: release the next group after `release_after` epochs without a better validation
        score. `epochs`: release it every `release_after` epochs. `rate`: release it when the
        plateau `schedule` has lowered the rate to its `least`, as in RJCMA. Each time, the best
        weights are restored, and optimiser and schedule begin again.
    release_after
        Epochs, see `release_when`; `epochs` bounds all of them together.
    schedule
        The learning rate over the epochs, written as `train.schedule`; constant by default.
    brightness
        Each face is multiplied by a draw from U(1 - brightness, 1 + brightness). With `brightness`
        or `contrast`, the usual change of light and tint is left out. T-BIOM: 0.2.
    contrast
        The distance of each face from its mean grey level is multiplied by such a draw. T-BIOM:
        0.2.
    flip
        Share of the faces that are mirrored.
    """

    modality = "video"
    read_hz = 12.5
    dim = 256

    def __init__(
        self,
        *,
        blocks: int = 2,
        frame_hz: float = 12.5,
        fit_hz: float = 6.25,
        epochs: int = 6,
        batch: int = 32,
        lr: float = 3e-4,
        most: int = 10_000,
        seed: int = 0,
        release: int = 0,
        release_when: Literal["stalled", "epochs", "rate"] = "stalled",
        release_after: int = 2,
        schedule: dict[str, Any] | None = None,
        brightness: float | None = None,
        contrast: float | None = None,
        flip: float = 0.5,
    ) -> None:
        if not 0 <= blocks <= BLOCKS:
            raise ConfigError(f"face_tuned: `blocks` must be 0 to {BLOCKS}, found {blocks}.")
        if not 0 <= release <= blocks:
            raise ConfigError(
                f"face_tuned: `release` must be 0 to {blocks}, the number of tuned `blocks`, found "
                f"{release}."
            )
        if release_after < 1:
            raise ConfigError(
                f"face_tuned: `release_after` must be 1 or more, found {release_after}."
            )
        colour.check("face_tuned", brightness, contrast, flip)
        self.releases, self.release = release, Release(release_when, release_after)
        self.brightness, self.contrast, self.flip = brightness, contrast, flip
        self.blocks, self.frame_hz, self.fit_hz = blocks, frame_hz, fit_hz
        rate = schedule_of("face_tuned", schedule, lr)
        if release and release_when == "rate" and not (isinstance(rate, Plateau) and rate.least):
            raise ConfigError(
                "face_tuned: `release_when: rate` needs a plateau schedule with a least rate, such "
                "as `schedule: {is: plateau, patience: 5, least: 1.0e-8}`."
            )
        self.recipe = Recipe(
            *(epochs, batch, lr, 1e-2), patience=epochs, most=most, seed=seed, schedule=rate
        )

    def new_net(self, settings: EncoderSettings) -> nn.Module:
        """Return the pretrained network with a new output layer."""
        return _Net(self.blocks, self.outputs)

    def groups(self, net: nn.Module) -> list[list[nn.Module]]:
        """Return the tuned blocks in `release` groups, the last blocks first."""
        assert isinstance(net, _Net)
        last_first = list(reversed(net.look.blocks))[: self.blocks]
        cuts = [self.blocks * cut // max(1, self.releases) for cut in range(self.releases + 1)]
        return [last_first[begin:end] for begin, end in pairwise(cuts)]

    def instants(self, record: MediaRecord, settings: EncoderSettings) -> np.ndarray:
        """Return the times of the faces to tune on, `fit_hz` per second."""
        times_s = record.frames["time_s"].to_numpy()[record.with_face]
        return times_s[thin(times_s, self.fit_hz)]

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor:
        """Return faces uint8 RGB (N, side, side, 3) of the frames at these times."""
        frames = np.searchsorted(record.frames["time_s"].to_numpy(), times_s)
        return torch.cat([faces for _, faces in read_faces(record, frames)])

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror some faces; relight each (0.8 to 1.25) and tint it by up to 5 %, or jitter it."""
        one = (len(inputs), 1, 1, 1)
        mirror = torch.rand(one, generator=generator) < self.flip
        x = torch.where(mirror, inputs.flip(2), inputs).float()  # (B, side, side, 3)
        if self.brightness is not None or self.contrast is not None:
            return colour.jitter(x, self.brightness, self.contrast, generator)
        light = torch.exp((torch.rand(one, generator=generator) * 2 - 1) * 0.22)
        tint = 1 + 0.05 * (torch.rand((len(x), 1, 1, 3), generator=generator) * 2 - 1)
        return (x * light * tint).clamp(0, 255)

    def encode(self, record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the mean embedding of each clip's faces: float32 (N, D), NaN without a face."""

        def embed(faces: Tensor) -> Tensor:
            return self.net(device.moved(faces, device.of(self.net)))[0]

        return encode_faces(record, ends_s, clip_s, self.frame_hz, embed, self.dim)


class _Net(nn.Module):
    def __init__(self, blocks: int, outputs: int) -> None:
        super().__init__()
        self.look = pretrained()
        for block in list(self.look.blocks)[BLOCKS - blocks :]:
            block.requires_grad_(True)
        self.rate = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(self.look.classify.in_features, outputs)
        )

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Map faces (B, side, side, 3) to embeddings (B, 256) and targets (B, K)."""
        embedding, _ = self.look(faces)
        return embedding, self.rate(embedding)
