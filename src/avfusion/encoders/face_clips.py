"""Bases of fitted encoders that read several faces of a clip at once."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from avfusion.config.contexts import Span
from avfusion.config.jobs import EncoderSettings
from avfusion.encoders import colour
from avfusion.encoders.ahead import RowsAhead
from avfusion.encoders.clip_inputs import Clips
from avfusion.encoders.faces import CHUNK, FaceTimes, clips_at, faces_of_clips, read_clips
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.published import PublishedEncoder
from avfusion.encoders.tuning import TunedEncoder
from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.media.store import MediaRecord


class ReadsClips(FaceTimes, TunedEncoder, RowsAhead):
    """Examples that are clips uint8 RGB (N, frames, side, side, 3); a face is kept once."""

    modality = "video"
    context_before: ClassVar[Span] = 0
    frames: int
    frame_hz: float
    brightness: float | None
    contrast: float | None
    flip: float
    clip_s = 0.0

    def fit(self, corpus: str, settings: EncoderSettings, layout: Layout) -> None:
        """Fit on train and keep the best epoch by validation; see `FittableEncoder.fit`."""
        self.clip_s = settings.windows.clip_s
        super().fit(corpus, settings, layout)

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor | Clips:
        """Return the clips that end at these times."""
        return clips_at(record, times_s, self.clip_s, self.frame_hz, self.frames)

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror some clips; change brightness and contrast of each if asked for."""
        change = (self.flip, self.brightness, self.contrast)
        return colour.augmented(inputs, *change, generator)

    def read(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield clips with a face (B,) and their faces uint8 (B, frames, side, side, 3)."""
        rows, chosen = faces_of_clips(record, ends_s, clip_s, self.frame_hz, self.frames)
        for begin, clips in read_clips(record, chosen):
            yield rows[begin : begin + len(clips)], clips


class ClipEncoder(ReadsClips, PublishedEncoder):
    """Base of the papers' encoders of clips.

    Parameters
    ----------
    frames
        Faces of a clip that the network reads.
    frame_hz
        Faces per second that these are taken from.
    brightness, contrast
        As in `face_tuned`, with one draw per clip. T-BIOM: 0.2.
    flip
        Share of the clips that are mirrored while fitting.
    """

    most_frames = CHUNK
    picture: tuple[int, tuple[float, ...], tuple[float, ...]]

    def __init__(
        self,
        entry: str,
        *,
        frames: int = 8,
        frame_hz: float = 12.5,
        brightness: float | None = None,
        contrast: float | None = None,
        flip: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(entry, **options)
        colour.check(entry, brightness, contrast, flip)
        if not 1 <= frames <= self.most_frames:
            most = self.most_frames
            raise ConfigError(f"{entry}: `frames` must be 1 to {most}, found {frames}.")
        if not frame_hz > 0:
            raise ConfigError(f"{entry}: `frame_hz` must be above 0, found {frame_hz}.")
        self.frames, self.frame_hz = frames, frame_hz
        self.brightness, self.contrast, self.flip = brightness, contrast, flip

    def preprocessing(self) -> dict[str, Any]:
        """Return how faces are read, as `Pictures` names it."""
        return Pictures(*self.picture, frame_hz=self.frame_hz, frames=self.frames).note()
