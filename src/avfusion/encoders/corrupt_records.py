"""Records whose sound or faces are changed, or missing, when they are read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.media.audio import Piece
from avfusion.media.store import MediaRecord
from avfusion.media.waveform import HeldSound, SpanSound
from avfusion.media.writer import FACE_COLUMNS
from avfusion.schemas import SLACK_S

Sound = Callable[[], Iterable[Piece]]
"""Starts a sound."""


Change = Callable[[Sound, int], Iterable[Piece]]
"""Returns the changed sound of a sound and its sampling rate."""


class ChangedSound(MediaRecord):
    """A record whose sound is changed when it is read, at each rate that is stored."""

    def __init__(self, clean: MediaRecord, meta: dict[str, Any], change: Change) -> None:
        super().__init__(clean.folder, meta)
        self.clean, self.change = clean, change
        self._held: dict[str, HeldSound] = {}

    @property
    def sound_hz(self) -> int:
        """Sampling rate of the sound in Hz."""
        return self.clean.sound_hz

    def pieces(self) -> Iterator[Piece]:
        """Yield the changed sound as (first sample, samples float32 (n,)), ascending."""
        return iter(self.change(self.clean.pieces, self.sound_hz))

    def _sound(self, name: str) -> SpanSound:
        """Return the changed sound in memory, for encoders that read spans of it."""
        if name not in self._held:
            sound = self.clean._sound(name)
            changed = self.change(sound.pieces, sound.rate_hz)
            self._held[name] = HeldSound(changed, sound.rate_hz)
        return self._held[name]


class ChangedFaces(MediaRecord):
    """A record whose faces are changed when they are read."""

    def __init__(
        self, folder: Path, meta: dict[str, Any], change: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        super().__init__(folder, meta)
        self.change = change

    def crops(self, frame_indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the changed faces of some frames, uint8 RGB (n, side, side, 3)."""
        return self.change(super().crops(frame_indices))


class WithoutFaces(MediaRecord):
    """A record in which no face was found in some spans (begin, end] in seconds."""

    def __init__(
        self, folder: Path, meta: dict[str, Any], spans_s: list[tuple[float, float]]
    ) -> None:
        super().__init__(folder, meta)
        self.spans_s = spans_s

    def _table(self, name: str) -> pd.DataFrame:
        table = super()._table(name)
        if name != "frames.parquet":
            return table
        hidden = inside(table["time_s"].to_numpy(), self.spans_s)
        table.loc[hidden, list(FACE_COLUMNS)] = np.nan
        return table


def inside(times_s: np.ndarray, spans_s: list[tuple[float, float]]) -> np.ndarray:
    """Return which times (N,) are in a span (begin, end], as `clip_spans` does; bool (N,)."""
    result = np.zeros(len(times_s), bool)
    for begin_s, end_s in spans_s:
        result |= (times_s > begin_s + SLACK_S) & (times_s <= end_s + SLACK_S)
    return result
