"""Faces as networks of pictures want them: their size, mean and deviation, singly or as clips.

The aligned face is scaled to the side that the network reads. It is not cropped again, because it
shows only the face.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avfusion.encoders.ahead import ahead, embedded, rows_of_clips
from avfusion.encoders.faces import (
    CHUNK,
    face_batches,
    faces_of_clips,
    pool_faces,
    read_clips,
)
from avfusion.errors import ConfigError
from avfusion.media.store import MediaRecord
from avfusion.training import device

INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Pictures:
    """How faces become the input of a network.

    Parameters
    ----------
    crop_px
        Side of the input in pixels.
    mean, deviation
        Of each colour; they are applied after white is scaled to `white`.
    interpolation
        "bilinear" or "bicubic", with antialiasing.
    white
        Value of white: 1, or 255 for networks of unscaled pictures.
    frame_hz
        Faces per second that are read.
    frames
        Faces that are read at once; 0 for single pictures, whose embeddings are averaged.
    """

    crop_px: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    interpolation: str = "bilinear"
    white: float = 1.0
    frame_hz: float = 12.5
    frames: int = 0

    def checked(self, entry: str) -> "Pictures":
        """Return self.

        Raises
        ------
        ConfigError
            If a value is not possible.
        """
        at = f"{entry}: `"
        if self.crop_px < 1:
            raise ConfigError(f"{at}crop_px` must be 1 or more, found {self.crop_px}.")
        if not 0 <= self.frames <= CHUNK:
            raise ConfigError(f"{at}frames` must be 1 to {CHUNK}, found {self.frames}.")
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) != 3:
                raise ConfigError(f"{at}{name}` must be 3 numbers, found {list(values)}.")
        if not min(self.deviation) > 0:
            raise ConfigError(f"{at}deviation` must be above 0, found {list(self.deviation)}.")
        if not self.white > 0:
            raise ConfigError(f"{at}white` must be above 0, found {self.white}.")
        if not self.frame_hz > 0:
            raise ConfigError(f"{at}frame_hz` must be above 0, found {self.frame_hz}.")
        if self.interpolation not in INTERPOLATIONS:
            raise ConfigError(
                f"{at}interpolation` must be one of {', '.join(INTERPOLATIONS)}, found "
                f"{self.interpolation!r}."
            )
        return self

    def note(self) -> dict[str, Any]:
        """Return the values, JSON-ready."""
        return asdict(self)

    def prepared(self, faces: Tensor) -> Tensor:
        """Return faces uint8 (..., side, side, 3) as float32 (..., 3, crop_px, crop_px)."""
        flat = faces.flatten(0, -4).permute(0, 3, 1, 2).float()
        if flat.shape[-1] != self.crop_px:
            size, mode = (self.crop_px, self.crop_px), self.interpolation
            flat = F.interpolate(flat, size, mode=mode, antialias=True).clamp(0, 255)
        mean, deviation = (
            torch.tensor(values, device=flat.device)[:, None, None]
            for values in (self.mean, self.deviation)
        )
        flat = (flat * (self.white / 255) - mean) / deviation
        return flat.unflatten(0, faces.shape[:-3])

    def encode(
        self,
        record: MediaRecord,
        ends_s: np.ndarray,
        clip_s: float,
        embed: Callable[[Tensor], Tensor],
        dim: int,
    ) -> np.ndarray:
        """Return the features of clips.

        Parameters
        ----------
        record
            The video's media.
        ends_s
            Ends of the clips in seconds (N,).
        clip_s
            Length of a clip in seconds.
        embed
            Maps (B, 3, side, side) to (B, dim), or (B, 3, frames, side, side) if `frames` is above
            0.
        dim
            Width of the embedding.

        Returns
        -------
        ndarray
            float32 (N, dim); NaN without a face.
        """

        def of_faces(faces: Tensor) -> Tensor:
            inputs = self.prepared(device.moved(faces, device.chosen()))
            return embed(inputs.transpose(1, 2) if self.frames else inputs)

        parts = embedded(of_faces, ahead(self.read(record, ends_s, clip_s)))
        return self.gather(parts, record, ends_s, clip_s, dim)

    def read(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield frames (B,) and their faces uint8 RGB (B, side, side, 3), or clips and theirs."""
        if not self.frames:
            yield from face_batches(record, ends_s, clip_s, self.frame_hz)
            return
        rows, chosen = faces_of_clips(record, ends_s, clip_s, self.frame_hz, self.frames)
        for begin, clips in read_clips(record, chosen):
            yield rows[begin : begin + len(clips)], clips

    def gather(
        self,
        parts: Iterable[tuple[np.ndarray, np.ndarray]],
        record: MediaRecord,
        ends_s: np.ndarray,
        clip_s: float,
        dim: int,
    ) -> np.ndarray:
        """Return the features float32 (N, dim) from places (B,) and embeddings (B, dim)."""
        if self.frames:
            return rows_of_clips(parts, len(ends_s), dim)
        return pool_faces(parts, record, ends_s, clip_s, dim)
