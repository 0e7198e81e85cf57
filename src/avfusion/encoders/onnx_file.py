"""A network in an ONNX file, on faces or on the sound that ends with a clip.

The file does not state how its input is prepared, so options say it. It must be one file: weights
in files next to it are refused. Running it needs no further package.

| modality | input | a clip's row |
|---|---|---|
| video | `layout` without t: single faces | mean of its faces' rows |
| video | `layout` with t: `frames` faces | of its faces at once |
| audio | samples (batch, time) | of the `context_s` of sound that end with it |
"""

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from avfusion.config.contexts import Span
from avfusion.encoders.adapter import Adapter, refuse
from avfusion.encoders.onnx_session import Session
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.sound_chunks import encode_windows, low_rate
from avfusion.encoders.weights_file import WeightsFile
from avfusion.errors import ConfigError
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders


@encoders.add("onnx")
class OnnxFile(Adapter):
    """One output of the network; D is its width.

    Parameters
    ----------
    path
        The file.
    sha256
        Its expected SHA-256.
    licence
        Terms of the weights, for the record.
    output
        Name of the output; needed if there are several.
    layout
        Order of the axes of pictures, by default nchw: batch, colour, height, width; t is time.
    crop_px, frames
        Side of the input in pixels, and faces at once; needed if the file leaves them open.
    mean, deviation
        Of each colour, for pictures.
    white
        Value of white before mean and deviation are applied: 1 (default) or 255.
    colours
        Their order; by default rgb.
    interpolation
        How faces are scaled; by default bilinear.
    frame_hz
        Faces per second that are read; by default 12.5.
    rate_hz
        Sampling rate of sound; by default 16,000.
    context_s
        Length of sound that ends with the clip, if the file leaves it open; by default the clip.
    normalise
        Whether each of these lengths of sound is scaled to mean 0 and deviation 1; by default not.
    """

    modalities = ("audio", "video")
    context_before: ClassVar[Span] = {"context_s": 1}
    read_hz = 12.5
    width_from = "avfusion.encoders.onnx_session:width"

    def __init__(
        self,
        entry: str = "onnx",
        modality: Literal["audio", "video"] = "video",
        *,
        path: str = "",
        sha256: str = "",
        licence: str = "",
        output: str = "",
        layout: Literal["nchw", "nhwc", "ncthw", "ntchw", "nthwc"] | None = None,
        crop_px: int | None = None,
        frames: int | None = None,
        mean: list[float] | None = None,
        deviation: list[float] | None = None,
        white: float | None = None,
        colours: Literal["rgb", "bgr"] | None = None,
        interpolation: Literal["bilinear", "bicubic"] | None = None,
        frame_hz: float | None = None,
        rate_hz: int | None = None,
        context_s: float | None = None,
        normalise: bool | None = None,
    ) -> None:
        self.modality = modality
        self.file = WeightsFile(path, sha256, licence, entry)
        _ = self.file.sha256
        self.session = Session(self.file.path, output, entry)
        self.weights = self.file.path
        self.rate_hz = 16_000 if rate_hz is None else rate_hz
        self.context_s, self.normalise = context_s, bool(normalise)
        of_pictures: dict[str, Any] = {"layout": layout, "crop_px": crop_px, "frames": frames}
        of_pictures |= {"mean": mean, "deviation": deviation, "white": white, "colours": colours}
        of_pictures |= {"interpolation": interpolation, "frame_hz": frame_hz}
        of_sound = {"rate_hz": rate_hz, "context_s": context_s, "normalise": normalise}
        if modality == "audio":
            refuse(entry, of_pictures, "sound")
            self._of_audio()
            return
        refuse(entry, of_sound, "pictures")
        self.layout, self.colours = layout or "nchw", colours or "rgb"
        if "t" not in self.layout:
            refuse(entry, {"frames": frames}, f"the layout {self.layout}")
        if mean is None or deviation is None:
            raise ConfigError(
                f"{entry}: an ONNX file does not state the mean and deviation of its pictures. Set "
                f"encoders.{entry}.mean and deviation."
            )
        side = self._size("crop_px", "h", crop_px)
        count = self._size("frames", "t", frames) if "t" in self.layout else 0
        given = {"interpolation": interpolation, "white": white, "frame_hz": frame_hz}
        changes: dict[str, Any] = {name: x for name, x in given.items() if x is not None}
        form = Pictures(side, tuple(mean), tuple(deviation), frames=count, **changes)
        self.pictures = form.checked(entry)
        self.preprocessing: dict[str, Any] = {
            **self.pictures.note(),
            "layout": self.layout,
            "colours": self.colours,
        }
        sizes = {"n": 1, "c": 3, "t": count, "h": side, "w": side}
        self.dim = self.session.width(tuple(sizes[axis] for axis in self.layout))

    def remark(self, record: MediaRecord) -> str | None:
        """Return a note on sound that is stored at a lower rate."""
        return low_rate(record, self.rate_hz) if self.modality == "audio" else None

    def encode(self, record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the row of each clip: float32 (N, D), NaN where the modality is absent."""
        if self.modality == "video":
            return self.pictures.encode(record, ends_s, clip_s, self._of_pictures, self.dim)
        samples = self.samples or round(max(self.context_s or 0.0, clip_s) * self.rate_hz)
        given = record, ends_s, clip_s, self.rate_hz, samples
        return encode_windows(*given, self._of_sound, self.dim)

    def _of_pictures(self, pictures: Tensor) -> Tensor:
        """Return (B, D) of (B, 3, side, side), or of clips (B, 3, frames, side, side)."""
        if self.colours == "bgr":
            pictures = pictures.flip(1)
        given = "ncthw" if pictures.ndim == 5 else "nchw"
        ordered = pictures.permute([given.index(axis) for axis in self.layout])
        return torch.from_numpy(self.session.run(ordered.contiguous().cpu().numpy()))

    def _of_sound(self, samples: np.ndarray) -> np.ndarray:
        """Return (B, D) of samples (B, n)."""
        if self.normalise:
            samples = samples - samples.mean(1, keepdims=True)
            samples = samples / np.sqrt(samples.var(1, keepdims=True) + 1e-7)
        return self.session.run(samples.astype(np.float32))

    def _of_audio(self) -> None:
        """Check the options of sound, and set what depends on them.

        Raises
        ------
        ConfigError
            If a value is not possible, or the file states another length of sound.
        """
        entry, context_s = self.file.entry, self.context_s
        for name, value in (("rate_hz", self.rate_hz), ("context_s", context_s)):
            if value is not None and not value > 0:
                raise ConfigError(f"{entry}: `{name}` must be above 0, found {value}.")
        self.samples = self.session.axis(1, 2)
        if self.samples and context_s and round(context_s * self.rate_hz) != self.samples:
            raise ConfigError(
                f"{entry}: `context_s` is {context_s:g}, but {self.file.path} reads {self.samples} "
                f"samples, {self.samples / self.rate_hz:g} s at {self.rate_hz} Hz. Remove it, or "
                f"correct encoders.{entry}.rate_hz."
            )
        names = "rate_hz", "context_s", "normalise"
        self.preprocessing = {name: getattr(self, name) for name in names}
        samples = self.samples or max(1, round((context_s or 1) * self.rate_hz))
        self.dim = self.session.width((1, samples))

    def _size(self, option: str, axis: str, given: int | None) -> int:
        """Return the size of an axis, as the file says or the option if the file leaves it open."""
        entry = self.file.entry
        stated = self.session.axis(self.layout.index(axis), len(self.layout))
        if stated is None and given is None:
            raise ConfigError(
                f"{entry}: {self.file.path} leaves {option} open. Set encoders.{entry}.{option}."
            )
        if stated is not None and given not in (None, stated):
            raise ConfigError(
                f"{entry}: `{option}` is {given}, but {self.file.path} reads {stated}. Remove it, "
                f"or correct encoders.{entry}.layout."
            )
        size = stated if stated is not None else given
        assert size is not None
        return size
