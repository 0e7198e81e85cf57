"""Faces for models of transformers, singly or as clips."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avfusion.encoders import colour
from avfusion.encoders.clip_inputs import Clips
from avfusion.encoders.faces import clips_at, face_times, faces_at
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.transformers_hidden import WITH_CLASS_TOKEN, States
from avfusion.encoders.transformers_load import read_json, unreadable
from avfusion.errors import ConfigError
from avfusion.media.store import MediaRecord

RESAMPLE = {2: "bilinear", 3: "bicubic"}
"""Numbers of Pillow's interpolations in preprocessor_config.json."""


class PictureReader:
    """Faces, singly or as clips, as preprocessor_config.json of the folder says."""

    def __init__(
        self,
        pool: str = "mean",
        frame_hz: float = 12.5,
        brightness: float | None = None,
        contrast: float | None = None,
        flip: float = 0.5,
        *,
        folder: Path,
        config: Any,
        entry: str,
    ) -> None:
        self.pool, self.skip = pool, int(config.model_type in WITH_CLASS_TOKEN)
        if pool == "cls" and not self.skip:
            raise ConfigError(
                f"{entry}: `pool` is cls, but a model of the type {config.model_type!r} is not "
                f"read by its class token. Remove it."
            )
        colour.check(entry, brightness, contrast, flip)
        self.change = (flip, brightness, contrast)
        stated = read_json(folder / "preprocessor_config.json", f"encoders.{entry}.path")
        normalise, scaled = (stated.get(key, True) for key in ("do_normalize", "do_rescale"))
        try:
            self.pictures = Pictures(
                _side(stated),
                tuple(stated["image_mean"] if normalise else (0.0,) * 3),
                tuple(stated["image_std"] if normalise else (1.0,) * 3),
                RESAMPLE[stated.get("resample", 2)],
                255 * stated.get("rescale_factor", 1 / 255) if scaled else 255.0,
                frame_hz,
                int(getattr(config, "num_frames", 0)),
            ).checked(entry)
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable(folder, "preprocessor_config.json", entry, error) from None

    def note(self) -> dict[str, Any]:
        """Return how faces are read."""
        return self.pictures.note()

    def remark(self, record: MediaRecord) -> str | None:
        """Return nothing."""
        return None

    def encode(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float, states: States, dim: int
    ) -> np.ndarray:
        """Return the row of each clip's faces."""

        def embed(pictures: Tensor) -> Tensor:
            return self._pooled(pictures, states)

        return self.pictures.encode(record, ends_s, clip_s, embed, dim)

    def instants(self, record: MediaRecord, clip_s: float, fit_hz: float) -> np.ndarray:
        """Return the times of faces, `fit_hz` per second."""
        return face_times(record, fit_hz)

    def inputs(self, record: MediaRecord, times_s: np.ndarray, clip_s: float) -> Tensor | Clips:
        """Return faces uint8 RGB (N, side, side, 3) at these times, or clips that end at them."""
        form = self.pictures
        if not form.frames:
            return faces_at(record, times_s)
        return clips_at(record, times_s, clip_s, form.frame_hz, form.frames)

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror some faces or clips; change brightness and contrast of each if asked for."""
        return colour.augmented(inputs, *self.change, generator)

    def rows(self, inputs: Tensor, states: States) -> Tensor:
        """Return the rows (B, D) of faces, or of clips (B, frames, side, side, 3)."""
        pictures = self.pictures.prepared(inputs)
        return self._pooled(pictures.transpose(1, 2) if self.pictures.frames else pictures, states)

    def smallest(self) -> Tensor:
        """Return one example of black faces."""
        side, frames = self.pictures.crop_px, self.pictures.frames
        return torch.zeros(1, *([frames] if frames else []), side, side, 3, dtype=torch.uint8)

    def _pooled(self, pictures: Tensor, states: States) -> Tensor:
        """Return (B, D) of (B, 3, side, side), or of clips (B, 3, frames, side, side)."""
        if pictures.ndim == 5:
            pictures = pictures.transpose(1, 2)
        tokens = states(pixel_values=pictures)  # (B, places, D)
        return tokens[:, 0] if self.pool == "cls" else tokens[:, self.skip :].mean(1)


def _side(stated: dict[str, Any]) -> int:
    """Return the side of the square that a picture model reads."""
    size = stated["crop_size"] if stated.get("do_center_crop") else stated["size"]
    sides = set(size.values()) if isinstance(size, dict) else {size}
    if len(sides) != 1:
        raise ValueError(f"pictures of {size}, not a square")
    return int(sides.pop())
