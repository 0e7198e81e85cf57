"""What of a video is meant: whose face, which half and span; faces that a corpus brings along."""

import math
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

    `sound` is a recording of its own, which begins with the first picture; `cut_s`, start and end
    in the file, is all that is meant of it, and its start is time 0; `half` of a picture that
    shows two rooms side by side.
    """

    side: Literal["left", "right"] | None = None
    crops: tuple[Path, ...] | None = None  # not None: no face is looked for, even if it is empty
    sound: Path | None = None  # not None: the video's own sound is not used
    cut_s: tuple[float, float] | None = None
    half: Literal["left", "right"] | None = None

    def seen(self, image: np.ndarray) -> np.ndarray:
        """The picture (H, W, 3), or its half (H, W // 2, 3)."""
        if self.half is None:
            return image
        middle = image.shape[1] // 2
        part = image[:, :middle] if self.half == "left" else image[:, -middle:]
        return np.ascontiguousarray(part)


def span_s(start_s: float | None, end_s: float | None) -> tuple[float, float] | None:
    """The cut that a manifest's row asks for, if it asks for one.

    >>> span_s(1.0, 2.5), span_s(None, None), span_s(float("nan"), float("nan"))
    ((1.0, 2.5), None, None)
    """
    known = [x for x in (start_s, end_s) if x is not None and not math.isnan(x)]
    return (float(known[0]), float(known[1])) if len(known) == 2 else None


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
