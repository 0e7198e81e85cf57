"""Look for faces at a rate, and place them in between where more pictures are read than searched.

Time is divided into cells of 1 / rate seconds. The first frame of each cell is searched, as
`encoders.faces.thin` reads the first face of each. If it shows no face although one was seen within
the last half second, the next frame of the cell is searched as well.
"""

import math
from typing import NamedTuple

import numpy as np

from avfusion.config.sections import SignalSettings
from avfusion.media.faces import Face, Finder, aligned
from avfusion.media.shots import Shots
from avfusion.media.spool import Spool

_HOLD_S = 0.5  # how long after a face the other frames of a cell are searched, too


_BETWEEN_S = 0.5  # faces further apart in time are not connected


_MOST_PEOPLE = 6  # the largest faces of a picture; others are only counted


_HELD = 32  # pictures that wait for the next search


class _Held(NamedTuple):
    frame: int
    time_s: float
    image: np.ndarray


class Looks:
    """Searches the frames of a video in order and writes the faces into a spool.

    Parameters
    ----------
    settings
        Settings of the signal: `face_hz` (searches per second), `read_hz` (faces per second that
        encoders read), None for every frame.
    spool
        Where the faces go.
    """

    def __init__(self, settings: SignalSettings, spool: Spool) -> None:
        self._finder = Finder(settings.face_score)
        self._spool, self._face_px = spool, settings.face_px
        self._search_hz = _rate(settings.face_hz or settings.read_hz)
        self._read_hz = max(self._search_hz, _rate(settings.read_hz))
        self._cell, self._read_cell = -1.0, -1.0
        self._met = False  # whether the current cell had a face
        self._seen_s = -math.inf
        self._search = False
        self._asked: tuple[int, bool] = (-1, False)
        self._held: list[_Held] = []
        self._last: list[tuple[int, Face]] = []  # rows and faces of the last search
        self._last_s = -math.inf
        self.shots = Shots()

    @property
    def reads_all(self) -> bool:
        """Whether every frame is searched or read."""
        return math.isinf(self._read_hz)

    def wanted(self, index: int, time_s: float) -> bool:
        """Return whether a frame is searched or read; asked for each frame in order."""
        if index != self._asked[0]:  # a second reader asks for the frame at which the first failed
            self._asked = index, self._decide(time_s)
        return self._asked[1]

    def _decide(self, time_s: float) -> bool:
        cell, read_cell = _cell(time_s, self._search_hz), _cell(time_s, self._read_hz)
        again = not self._met and time_s - self._seen_s <= _HOLD_S
        self._search = cell != self._cell or again
        if cell != self._cell:
            self._met = False
        read = self._search or read_cell != self._read_cell
        if read:
            self._cell, self._read_cell = cell, read_cell
        return read

    def take(self, index: int, time_s: float, image: np.ndarray) -> bool:
        """Search a wanted frame, RGB uint8 (H, W, 3), or hold it until the next search.

        Returns
        -------
        bool
            Whether it was searched.
        """
        if not self._search:
            if self._last and len(self._held) < _HELD and time_s - self._last_s <= _BETWEEN_S:
                self._held.append(_Held(index, time_s, image))
            return False
        faces, small = self._finder.find(image)
        self.shots.add(time_s, small)
        by_size = sorted(faces, key=lambda face: -float(face.box[2] * face.box[3]))
        kept = by_size[:_MOST_PEOPLE]
        if kept:
            self._met, self._seen_s = True, time_s
        pairs = _pairs(self._last, kept) if self._held else []
        self._between(time_s, pairs)
        self._spool.add_look(len(faces), image.shape[1])
        crops = (aligned(image, face.points, self._face_px) for face in kept)
        rows = [self._spool.add(index, time_s, f, c) for f, c in zip(kept, crops, strict=True)]
        self._last, self._last_s = list(zip(rows, kept, strict=True)), time_s
        return True

    def _between(self, time_s: float, pairs: list[tuple[int, Face, Face]]) -> None:
        """Write the faces of the held pictures, on the way from the last search to this one."""
        for held in self._held if time_s - self._last_s <= _BETWEEN_S else []:
            share = (held.time_s - self._last_s) / (time_s - self._last_s)
            for row, begin, end in pairs:
                face = begin.towards(end, share)
                crop = aligned(held.image, face.points, self._face_px)
                self._spool.add(held.frame, held.time_s, face, crop, before=row)
        self._held.clear()


def _pairs(last: list[tuple[int, Face]], now: list[Face]) -> list[tuple[int, Face, Face]]:
    """Return row and face of the last search with the nearest face of similar size, one to one."""
    gaps = sorted(
        (float(np.hypot(*(face.centre - old.centre))) / float(old.box[2]), i, j)
        for i, (_, old) in enumerate(last)
        for j, face in enumerate(now)
        if 0.67 < face.box[2] / old.box[2] < 1.5
    )
    free_i, free_j, pairs = set(range(len(last))), set(range(len(now))), []
    for gap, i, j in gaps:
        if gap <= 1 and i in free_i and j in free_j:
            free_i.remove(i)
            free_j.remove(j)
            pairs.append((last[i][0], last[i][1], now[j]))
    return pairs


def _rate(rate_hz: float | None) -> float:
    return math.inf if rate_hz is None else rate_hz


def _cell(time_s: float, rate_hz: float) -> float:
    """Return the cell of a time; with an infinite rate each time is one of its own.

    >>> _cell(0.16, 12.5), _cell(0.2, 12.5), _cell(0.2, math.inf)
    (2, 2, 0.2)
    """
    return time_s if math.isinf(rate_hz) else math.floor(time_s * rate_hz + 1e-6)
