"""Find cuts between shots from small grey pictures, in constant memory.

Two pictures differ by 1 - correlation of their grey values, so that a change of light alone is
none. A cut is a large difference, much larger than those of the second before, in a large part of
the picture (a caption is small), after which the picture does not return to what it was. A flash
returns.
"""

from array import array
from collections import deque
from typing import NamedTuple

import cv2
import numpy as np

from avfusion.media.faces import shrunk

_SIZE_PX = (32, 24)  # width, height


# Least 1 - correlation of two pictures of two shots, and how many times the mean of the second
# before it. A smaller difference must be clearer.
_CUTS = ((0.35, 3.0), (0.12, 8.0))


# Below, the picture has returned to what it was; the larger the difference that began it, the more
# may have moved meanwhile.
_SAME, _SAME_SHARE = 0.08, 0.3


# Part of the picture that differs by more than this many standard deviations of its grey values.
_PART, _DEVIATIONS = 0.35, 0.25


_FLASH_S = 0.3  # a longer flash is taken for a cut


_FLAT = 2.0  # pictures with a smaller deviation, such as black or white ones, show nothing


class _Jump(NamedTuple):
    look: int
    time_s: float
    before: np.ndarray
    gap: float


class Shots:
    """Collects cuts while pictures arrive.

    Attributes
    ----------
    cuts
        Numbers of the pictures that begin a shot, without the first; complete after `close`.
    """

    def __init__(self) -> None:
        self.cuts = array("i")
        self._look = -1
        self._last: np.ndarray | None = None
        self._usual: deque[tuple[float, float]] = deque()  # time, difference
        self._jumps: list[_Jump] = []

    def add(self, time_s: float, image: np.ndarray) -> None:
        """Take the next picture, RGB uint8 (H, W, 3)."""
        self._look += 1
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        now = _normal(shrunk(grey, _SIZE_PX))
        returned = self._settle(time_s, now)
        if self._last is not None and not returned:  # the way back from a flash is no cut either
            self._compare(time_s, now, self._last)
        self._last = now

    def close(self) -> np.ndarray:
        """Return the numbers of the pictures that begin a shot, without the first, int (n,)."""
        self._settle(np.inf, None)
        return np.array(self.cuts, int)

    def _compare(self, time_s: float, now: np.ndarray, last: np.ndarray) -> None:
        gap = _difference(last, now)
        while self._usual and self._usual[0][0] < time_s - 1.0:
            self._usual.popleft()
        usual = sum(g for _, g in self._usual) / len(self._usual) if self._usual else 0.0
        far = any(gap > max(least, times * usual) for least, times in _CUTS)
        if far and _part(last, now) >= _PART:
            self._jumps.append(_Jump(self._look, time_s, last, gap))
        else:
            self._usual.append((time_s, gap))

    def _settle(self, time_s: float, now: np.ndarray | None) -> bool:
        """Return whether the picture returned to what it was; jumps that are old become cuts."""
        back = [i for i, jump in enumerate(self._jumps) if _returned(jump, now)]
        if back:  # what lies between a jump and the return from it is one disturbance
            del self._jumps[back[0] :]
        while self._jumps and time_s - self._jumps[0].time_s > _FLASH_S:
            self.cuts.append(self._jumps.pop(0).look)
        return bool(back)


def _returned(jump: _Jump, now: np.ndarray | None) -> bool:
    same = max(_SAME, _SAME_SHARE * jump.gap)
    return now is not None and _difference(jump.before, now) < same


def _normal(grey: np.ndarray) -> np.ndarray:
    """Return the values with mean 0 and length 1, or 0 for a flat picture; float32 (n,)."""
    values = grey.astype(np.float32).ravel()
    values -= values.mean()
    size = float(np.linalg.norm(values))
    return values / size if size > _FLAT * np.sqrt(len(values)) else np.zeros_like(values)


def _part(one: np.ndarray, other: np.ndarray) -> float:
    """Return the part of two pictures that differs."""
    return float((np.abs(one - other) * np.sqrt(len(one)) > _DEVIATIONS).mean())


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return 1.0 - float(one @ other)
