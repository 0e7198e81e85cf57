"""Keep the records of the current videos while several encoders read them.

Encoders of one job go through the videos side by side. So a face is decoded, and a log-mel is
computed, once for all of them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from avfusion.media.store import MediaRecord

MOST_BYTES = 64_000_000
"""Decoded faces of a video that stay in memory: 1,700 of 112 px, 2 minutes at 12.5 per second."""


class KeptRecord(MediaRecord):
    """A record whose decoded faces stay in memory up to `MOST_BYTES`, the first ones read."""

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        super().__init__(folder, meta)
        self._decoded: dict[int, np.ndarray] = {}
        self._lock = Lock()

    def crops(self, frame_indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read the aligned faces of some frames, as `MediaRecord.crops`."""
        frames = [int(frame) for frame in frame_indices]
        side = int(self.meta["face_px"])
        out = np.empty((len(frames), side, side, 3), np.uint8)
        with self._lock:  # encoders read ahead in threads; a face that one decodes, others wait for
            missing = [row for row, frame in enumerate(frames) if frame not in self._decoded]
            out[missing] = super().crops([frames[row] for row in missing])
            room = MOST_BYTES // (3 * side * side) - len(self._decoded)
            self._decoded |= {frames[row]: out[row].copy() for row in missing[: max(0, room)]}
            for row in set(range(len(frames))).difference(missing):
                out[row] = self._decoded[frames[row]]
        return out


class KeptRecords:
    """Opens records; the last ones are handed out again.

    Parameters
    ----------
    count
        Number of records that are kept.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._records: OrderedDict[Path, KeptRecord] = OrderedDict()

    def __call__(self, folder: Path) -> MediaRecord:
        """Open the record of a folder, as `MediaRecord.open`."""
        if folder not in self._records:
            self._records[folder] = KeptRecord.open(folder)
        self._records.move_to_end(folder)
        while len(self._records) > self._count:
            self._records.popitem(last=False)
        return self._records[folder]
