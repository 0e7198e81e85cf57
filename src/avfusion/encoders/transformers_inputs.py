"""Hidden layers of models of transformers, and what they read: sound in chunks, or faces."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.encoders.pictures import Pictures
from avfusion.encoders.sound_chunks import Chunks, low_rate
from avfusion.errors import AvfError, ConfigError
from avfusion.media.store import MediaRecord
from avfusion.training import device

WITH_CLASS_TOKEN = ("clip_vision_model", "dinov2", "vit")
RESAMPLE = {2: "bilinear", 3: "bicubic"}
"""Numbers of Pillow's interpolations in preprocessor_config.json."""


@dataclass(frozen=True)
class Hidden:
    """The sum or mean of hidden layers of a network; see `TransformersFolder` for the options."""

    net: nn.Module
    layers: list[int]
    combine: str
    pool: str

    @property
    def width(self) -> int:
        """D, the width of a layer."""
        return int(self.net.config.hidden_size)  # type: ignore[union-attr, arg-type]

    def checked(self, entry: str, config: Any) -> "Hidden":
        """Return self.

        Raises
        ------
        ConfigError
            If a layer does not exist, or `pool` is `cls` and the model has no class token.
        """
        depth = getattr(config, "encoder_layers", None) or config.num_hidden_layers
        count = depth + 1
        if not self.layers or any(not -count <= layer < count for layer in self.layers):
            raise ConfigError(
                f"{entry}: `layers` must be {-count} to {count - 1} each, found {self.layers}."
            )
        if self.pool == "cls" and config.model_type not in WITH_CLASS_TOKEN:
            raise ConfigError(
                f"{entry}: `pool` is cls, but a model of the type {config.model_type!r} is not "
                f"read by its class token. Remove it."
            )
        return self

    def note(self) -> dict[str, Any]:
        """Return the options, JSON-ready."""
        return {"layers": self.layers, "combine": self.combine, "pool": self.pool}

    def __call__(self, **inputs: Tensor) -> Tensor:
        """Return (B, T, D) for inputs of the network, on its device."""
        with torch.inference_mode():
            moved = {name: device.moved(x, device.of(self.net)) for name, x in inputs.items()}
            states = self.net(**moved, output_hidden_states=True).hidden_states
            total = torch.stack([states[layer] for layer in self.layers]).sum(0)
        return total / len(self.layers) if self.combine == "mean" else total


class Reader(Protocol):
    """Reads records of one modality and encodes their clips."""

    def note(self) -> dict[str, Any]:
        """Return the preprocessing, JSON-ready."""
        ...

    def remark(self, record: Any) -> str | None:
        """Return a note on one video for the feature index, or None."""
        ...

    def encode(self, record: Any, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return features float32 (N, D)."""
        ...


class SoundReader:
    """Sound, normalised or as log-mels as preprocessor_config.json of the folder says."""

    def __init__(
        self,
        hidden: Hidden,
        chunk_s: float = 10.0,
        margin_s: float = 1.0,
        *,
        folder: Path,
        config: Any,
        entry: str,
    ) -> None:
        import transformers

        try:
            self.extractor = transformers.AutoFeatureExtractor.from_pretrained(
                folder, local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise unreadable(folder, "preprocessor_config.json", entry, error) from None
        self.hidden, self.config = hidden, config
        hop, field = _frame(config, self.extractor)
        rate_hz = int(self.extractor.sampling_rate)
        self.chunks = Chunks(rate_hz, hop, field, chunk_s, margin_s).checked(entry)
        longest_s = getattr(self.extractor, "chunk_length", None)
        if longest_s is not None and chunk_s + 2 * margin_s > longest_s:
            raise ConfigError(
                f"{entry}: `chunk_s` with `margin_s` on both sides is {chunk_s + 2 * margin_s:g} "
                f"s, and this model reads {longest_s} s. Lower encoders.{entry}.chunk_s."
            )

    def note(self) -> dict[str, Any]:
        """Return how sound is read."""
        form = self.chunks
        normalised = bool(getattr(self.extractor, "do_normalize", False))
        return {"rate_hz": form.rate_hz, "hop": form.hop, "field": form.field} | {
            "chunk_s": form.chunk_s,
            "margin_s": form.margin_s,
            "normalised": normalised,
        }

    def remark(self, record: MediaRecord) -> str | None:
        """Return a note on sound that is stored at a lower rate."""
        return low_rate(record, self.chunks.rate_hz)

    def encode(self, record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the mean of each clip's frames."""
        return self.chunks.encode(record, ends_s, clip_s, self._embed, self.hidden.width)

    def _embed(self, samples: np.ndarray) -> np.ndarray:
        """Return frames (B, T, D) of samples (B, n)."""
        given = self.extractor(
            list(samples), sampling_rate=self.chunks.rate_hz, return_tensors="pt"
        )
        name = self.extractor.model_input_names[0]
        frames = self.hidden(**{name: given[name]})
        count = max((samples.shape[1] - self.chunks.field) // self.chunks.hop + 1, 1)
        return frames[:, :count].cpu().numpy()  # Whisper pads what it reads


class PictureReader:
    """Faces, singly or as clips, as preprocessor_config.json of the folder says."""

    def __init__(
        self, hidden: Hidden, frame_hz: float = 12.5, *, folder: Path, config: Any, entry: str
    ) -> None:
        self.hidden = hidden
        self.skip = int(config.model_type in WITH_CLASS_TOKEN)
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

    def encode(self, record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the row of each clip's faces."""
        return self.pictures.encode(record, ends_s, clip_s, self._embed, self.hidden.width)

    def _embed(self, pictures: Tensor) -> Tensor:
        """Return (B, D) of (B, 3, side, side), or of clips (B, 3, frames, side, side)."""
        if pictures.ndim == 5:
            pictures = pictures.transpose(1, 2)
        tokens = self.hidden(pixel_values=pictures)  # (B, places, D)
        return tokens[:, 0] if self.hidden.pool == "cls" else tokens[:, self.skip :].mean(1)


def read_json(path: Path, setting: str) -> dict[str, Any]:
    """Return the mapping in a JSON file of a model's folder.

    Raises
    ------
    AvfError
        If it is missing or holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        text = "file not found" if isinstance(error, FileNotFoundError) else f"not JSON ({error})"
        raise AvfError(
            f"{path}: {text}. Put the file of the model there, or correct {setting}."
        ) from None
    if not isinstance(document, dict):
        raise AvfError(f"{path}: holds no mapping. Correct {setting}.")
    return document


def _frame(config: Any, extractor: Any) -> tuple[int, int]:
    """Return the samples from one frame to the next, and those that a frame is computed from."""
    if not hasattr(config, "conv_stride"):  # Whisper: two spectra per frame
        return 2 * extractor.hop_length, 2 * extractor.hop_length
    hop, field = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * hop
        hop *= stride
    return hop, field


def _side(stated: dict[str, Any]) -> int:
    """Return the side of the square that a picture model reads."""
    size = stated["crop_size"] if stated.get("do_center_crop") else stated["size"]
    sides = set(size.values()) if isinstance(size, dict) else {size}
    if len(sides) != 1:
        raise ValueError(f"pictures of {size}, not a square")
    return int(sides.pop())


def unreadable(folder: Path, what: str, entry: str, error: Exception) -> AvfError:
    """Return the error of a folder whose preprocessing or vocabulary cannot be used."""
    text = str(error).partition("\n")[0]
    return AvfError(
        f"{folder}: its {what} is missing or cannot be used ({type(error).__name__}: {text}). Put "
        f"the files of the model there, or correct encoders.{entry}.path."
    )
