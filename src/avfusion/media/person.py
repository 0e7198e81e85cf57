"""Which person of a video is meant, and faces that lie ready because a corpus brings them along."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

_NAME = re.compile(r"\d{5}\.jpg")


@dataclass(frozen=True)
class Person:
    """`side` follows the left or right one of two; `crops` are folders of aligned faces.

    `sound` is a recording of its own, which begins with the first picture.
    """

    side: Literal["left", "right"] | None = None
    crops: tuple[Path, ...] | None = None  # not None: no face is looked for, even if it is empty
    sound: Path | None = None  # not None: the video's own sound is not used


def frame_number(name: str) -> int | None:
    """The frame, counted from 1, that an image belongs to; None if it is not named so.

    >>> frame_number("00012.jpg"), frame_number("12.jpg"), frame_number("._00012.jpg")
    (12, None, None)
    """
    return int(name[:5]) if _NAME.fullmatch(name) else None


class Crops:
    """Faces by frame; of an image in two folders the first folder's counts."""

    def __init__(self, folders: Sequence[Path], face_px: int) -> None:
        self._face_px = face_px
        self._paths: dict[int, Path] = {}
        self.broken = 0  # images that are none
        for folder in folders:
            for path in sorted(folder.iterdir()):
                number = frame_number(path.name)
                if number is not None:
                    self._paths.setdefault(number, path)

    def get(self, frame: int) -> bytes | None:
        """JPEG of frame `frame` (0-based), face_px wide and high; as it lies there if it fits."""
        path = self._paths.get(frame + 1)
        if path is None:
            return None
        raw, side = path.read_bytes(), self._face_px
        image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR) if raw else None
        if image is None:
            self.broken += 1
            return None
        if image.shape[:2] == (side, side):
            return raw
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
