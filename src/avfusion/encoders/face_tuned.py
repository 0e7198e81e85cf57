"""Pretrained expression network on aligned faces, last blocks fine-tuned on the corpus' gold.

Source   face-api's expression model, see weights/README.md; `face_expression` is the same network
         without tuning. The first blocks detect edges and parts, which all faces share, and stay
         frozen. The last `blocks` of four are trained at a low rate on the train partition's gold.
Departs  The seven posed classes are dropped. A linear layer predicts the targets from the 256-d
         pooled layer. This layer, averaged over the sampled faces of a clip, is the embedding.
"""

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.expression_net import pretrained
from avfusion.encoders.faces import encode_faces, read_faces, thin
from avfusion.encoders.fitting import FittedEncoder, Recipe
from avfusion.errors import ConfigError
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.training import device

BLOCKS = 4


@encoders.add("face_tuned")
class FaceTuned(FittedEncoder):
    """256 non-negative numbers per clip; embeds `frame_hz` faces per second, tunes on `fit_hz`."""

    modality = "video"
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
    ) -> None:
        if not 0 <= blocks <= BLOCKS:
            raise ConfigError(f"face_tuned: `blocks` must be 0 to {BLOCKS}, found {blocks}.")
        self.blocks, self.frame_hz, self.fit_hz = blocks, frame_hz, fit_hz
        self.recipe = Recipe(epochs, batch, lr, 1e-2, patience=epochs, most=most, seed=seed)

    def new_net(self, settings: EncoderSettings) -> nn.Module:
        """Return the pretrained network with a new output layer."""
        return _Net(self.blocks, self.outputs)

    def instants(self, record: MediaRecord, settings: EncoderSettings) -> np.ndarray:
        """Return the times of the faces to tune on, `fit_hz` per second."""
        times_s = record.frames["time_s"].to_numpy()[record.with_face]
        return times_s[thin(times_s, self.fit_hz)]

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor:
        """Return faces uint8 RGB (N, side, side, 3) of the frames at these times."""
        frames = np.searchsorted(record.frames["time_s"].to_numpy(), times_s)
        return torch.cat([faces for _, faces in read_faces(record, frames)])

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror half of the faces; relight each (0.8 to 1.25) and tint it by up to 5 %."""
        one = (len(inputs), 1, 1, 1)
        mirror = torch.rand(one, generator=generator) < 0.5
        x = torch.where(mirror, inputs.flip(2), inputs).float()  # (B, side, side, 3)
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
