"""The person, half and span of a video to read, and face crops that come with a corpus."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from avfusion.config.sections import Rule

_NAME = re.compile(r"\d{5}\.jpg")


@dataclass(frozen=True)
class Person:
    """The part of a video file that belongs to one manifest row.

    Attributes
    ----------
    face
        The rule that chooses the followed person, see `media.follow`; None is that of the study.
    crops
        Folders of aligned faces; if given, even as an empty tuple, no face is detected.
    sound
        A separate recording, which begins with the first picture; it replaces the video's sound.
    cut_s
        Start and end of the span in the file, in seconds; its start is time 0.
    half
        The half of a picture that shows two rooms next to each other.
    """

    face: Rule | None = None
    crops: tuple[Path, ...] | None = None
    sound: Path | None = None
    cut_s: tuple[float, float] | None = None
    half: Literal["left", "right"] | None = None

    def seen(self, image: np.ndarray) -> np.ndarray:
        """Return the picture (H, W, 3), or its half (H, W // 2, 3)."""
        if self.half is None:
            return image
        middle = image.shape[1] // 2
        part = image[:, :middle] if self.half == "left" else image[:, -middle:]
        return np.ascontiguousarray(part)


def span_s(start_s: float | None, end_s: float | None) -> tuple[float, float] | None:
    """Return the span of a manifest row, or None if it has none.

    >>> span_s(1.0, 2.5), span_s(None, None), span_s(float("nan"), float("nan"))
    ((1.0, 2.5), None, None)
    """
    known = [x for x in (start_s, end_s) if x is not None and not math.isnan(x)]
    return (float(known[0]), float(known[1])) if len(known) == 2 else None


def frame_number(name: str) -> int | None:
    """Return the frame number, from 1, in the name of an image; None for another name.

    >>> frame_number("00012.jpg"), frame_number("12.jpg"), frame_number("._00012.jpg")
    (12, None, None)
    """
    return int(name[:5]) if _NAME.fullmatch(name) else None


class Crops:
    """Aligned faces by frame; the first folder has precedence for an image in two folders."""

    def __init__(self, folders: Sequence[Path], face_px: int) -> None:
        self._face_px = face_px
        self._paths: dict[int, Path] = {}
        self.broken = 0  # images that cannot be decoded
        for folder in folders:
            for path in sorted(folder.iterdir()):
                number = frame_number(path.name)
                if number is not None:
                    self._paths.setdefault(number, path)

    def get(self, frame: int) -> bytes | None:
        """Return the JPEG of a frame (0-based), face_px square; unchanged if it has that size."""
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
