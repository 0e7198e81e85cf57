"""Base of the encoders whose network is made by another library, with a file of weights.

The side of the input, mean, deviation and interpolation are those of the model's own configuration
unless options say otherwise. A picture model reads faces singly, and a clip's row is the mean of
their rows. A video model reads `frames` faces of a clip at once. `backbones.library` says what a
block is, and `tuned_file` when the network is frozen.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor, nn

from avfusion.encoders import colour
from avfusion.encoders.adapter import frozen, width_of
from avfusion.encoders.ahead import RowsAhead
from avfusion.encoders.backbones.base import Backbone, Tuned
from avfusion.encoders.backbones.library import LibraryBackbone
from avfusion.encoders.clip_inputs import Clips
from avfusion.encoders.face_clips import ReadsClips
from avfusion.encoders.faces import AveragedFaces, SingleFaces
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.tuned_file import TunedFile
from avfusion.media.store import MediaRecord


class Made(NamedTuple):
    """A network without its classifier, and what its model's configuration states.

    `leave_out` are beginnings of names of the file, such as those of the classifier.
    """

    net: nn.Module
    pictures: Pictures
    leave_out: tuple[str, ...]


class LibraryEncoder(ReadsClips, SingleFaces, TunedFile, AveragedFaces):
    """Base of the encoders of a library; a subclass implements `made`.

    Parameters
    ----------
    model
        Name of the model in the library.
    frame_hz
        Faces per second that are read.
    crop_px, mean, deviation, interpolation
        See `Pictures`; by default as the model's configuration says.
    brightness, contrast
        As in `face_tuned`, with one draw per face or clip.
    flip
        Share of the faces or clips that are mirrored while fitting.
    """

    modality = "video"
    read_hz = 12.5

    def __init__(
        self,
        entry: str,
        *,
        model: str = "",
        frame_hz: float = 12.5,
        crop_px: int | None = None,
        mean: list[float] | None = None,
        deviation: list[float] | None = None,
        interpolation: Literal["bilinear", "bicubic"] | None = None,
        brightness: float | None = None,
        contrast: float | None = None,
        flip: float = 0.5,
        **options: Any,
    ) -> None:
        self.entry, self.model, self.crop_px = entry, model, crop_px
        made = self.made()
        given: dict[str, Any] = {"crop_px": crop_px, "interpolation": interpolation}
        given |= {"mean": mean and tuple(mean), "deviation": deviation and tuple(deviation)}
        changes = {name: value for name, value in given.items() if value is not None}
        self.pictures = replace(made.pictures, **changes, frame_hz=frame_hz).checked(entry)
        colour.check(entry, brightness, contrast, flip)
        self.brightness, self.contrast, self.flip = brightness, contrast, flip
        self.frame_hz, self.frames = frame_hz, self.pictures.frames
        self.preprocessing: dict[str, Any] = self.pictures.note()
        self.leave_out = made.leave_out
        backbone = LibraryBackbone(made.net, self.pictures)
        self.block_count = len(backbone.blocks())
        super().__init__(entry, **options)
        self._measure(backbone)

    def made(self) -> Made:
        """Make the network with new weights."""
        raise NotImplementedError

    def new_backbone(self) -> Backbone:
        """Return the network with new weights."""
        backbone = LibraryBackbone(self.made().net, self.pictures)
        backbone.dim = self.dim
        return backbone

    def trunk(self, net: nn.Module) -> nn.Module:
        """Return the network of the library."""
        return net.get_submodule("backbone.net")

    def identified(self) -> dict[str, Any]:
        """Return what identifies the weights of the file, and the preprocessing."""
        return {**super().identified(), "preprocessing": self.preprocessing}

    def origin(self) -> dict[str, Any]:
        """Return the weights that the fit starts from, and the preprocessing."""
        return super().origin() or {"preprocessing": self.preprocessing}

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor | Clips:
        """Return faces uint8 RGB (N, side, side, 3) at these times, or clips that end at them."""
        base = ReadsClips if self.frames else SingleFaces
        return base.inputs(self, record, times_s)

    def read(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield frames (B,) and their faces, or clips (B,) and theirs."""
        base = ReadsClips if self.frames else AveragedFaces
        return base.read(self, record, ends_s, clip_s)

    def gather(
        self, parts: Iterable[Any], record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> np.ndarray:
        """Return the row of each clip's faces: float32 (N, D), NaN without a face."""
        base = RowsAhead if self.frames else AveragedFaces
        return base.gather(self, parts, record, ends_s, clip_s)

    def _measure(self, backbone: LibraryBackbone) -> None:
        """Set D; keep the network with the weights of the file if nothing is fitted."""
        if not self.fitted:
            self.file.load_into(backbone.net, leave_out=self.leave_out)
        side, count = self.pictures.crop_px, self.frames
        shape = (1, 3, count, side, side) if count else (1, 3, side, side)
        self.dim = backbone.dim = width_of(frozen(backbone.net), shape, self.entry)
        if not self.fitted:
            self.weights = self.file.path
            self.net = frozen(Tuned(backbone, 0, self.outputs))
