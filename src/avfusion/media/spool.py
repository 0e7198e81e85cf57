"""Keep the faces of one video on disk until it is known who is who.

Of each face, a row of numbers (in memory, 4 MB for an hour of one person at 12.5 Hz), two small
grey patches and its aligned picture as JPEG (on disk).
"""

import tempfile
from array import array
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from avfusion.media.faces import Face

TINY_PX = 12
"""Side of the patch that shows the face as such."""

MOUTH_PX = (8, 12)
"""Height and width of the patch around the mouth."""


_ROW = np.dtype(
    [
        *(("look", "<i4"), ("frame", "<i4"), ("time_s", "<f8"), ("before", "<i4")),
        ("width_px", "<i4"),
        *(("score", "<f4"), ("box", "<f4", (4,)), ("points", "<f4", (5, 2))),
        *(("offset", "<i8"), ("size", "<i4")),
    ]
)


_PATCH_BYTES = TINY_PX * TINY_PX + MOUTH_PX[0] * MOUTH_PX[1]


class Spool:
    """Faces in order of time; they are written first and then read.

    Attributes
    ----------
    counts
        Number of faces in each picture that was searched.
    """

    def __init__(self, folder: Path) -> None:
        self.counts, self._width_px = array("h"), 0
        self._rows = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._patches = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._crops = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._rows, self._patches, self._crops):
            file.close()

    def __len__(self) -> int:
        return self._count

    def add_look(self, count: int, width_px: int) -> None:
        """Begin a picture that was searched, with its number of faces and its width."""
        self._width_px = width_px
        self.counts.append(count)

    def add(self, frame: int, time_s: float, face: Face, crop: np.ndarray, before: int = -1) -> int:
        """Append a face of the current picture; return its row.

        Parameters
        ----------
        frame, time_s
            Its frame.
        face
            Where it is.
        crop
            RGB uint8 (side, side, 3).
        before
            Of a face that was placed between two found ones: the row of the earlier one.
        """
        raw = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        row = np.zeros((), _ROW)
        row["look"], row["frame"], row["time_s"] = len(self.counts) - 1, frame, time_s
        row["before"], row["width_px"], row["score"] = before, self._width_px, face.score
        row["box"], row["points"] = face.box, face.points
        row["offset"], row["size"] = self._crops.tell(), len(raw)
        self._rows.write(row.tobytes())
        self._patches.write(_patches(crop))
        self._crops.write(raw)
        self._count += 1
        return self._count - 1

    def rows(self) -> np.ndarray:
        """Return all rows, a structured array (n,)."""
        rows = np.empty(self._count, _ROW)
        self._rows.seek(0)
        self._rows.readinto(rows.view(np.uint8).data)
        return rows

    def patches(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the faces and mouths of some rows, grey uint8 (n, 12, 12) and (n, 8, 12)."""
        self._patches.seek(first * _PATCH_BYTES)
        raw = np.frombuffer(self._patches.read(count * _PATCH_BYTES), np.uint8)
        split = raw.reshape(-1, _PATCH_BYTES)
        face, mouth = np.split(split, [TINY_PX * TINY_PX], axis=1)
        return face.reshape(-1, TINY_PX, TINY_PX), mouth.reshape(-1, *MOUTH_PX)

    def jpeg(self, row: Any) -> bytes:
        """Return the aligned face of a row as JPEG."""
        self._crops.seek(int(row["offset"]))
        return self._crops.read(int(row["size"]))

    def crop(self, row: Any) -> np.ndarray:
        """Return the aligned face of a row, RGB uint8 (side, side, 3)."""
        image = cv2.imdecode(np.frombuffer(self.jpeg(row), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        return np.ascontiguousarray(image[..., ::-1])


def _patches(crop: np.ndarray) -> bytes:
    side = crop.shape[0]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    mouth = grey[side * 78 // 112 : side * 110 // 112, side * 32 // 112 : side * 80 // 112]
    face = grey[side * 14 // 112 : side * 98 // 112, side * 14 // 112 : side * 98 // 112]
    sizes = ((TINY_PX, TINY_PX), MOUTH_PX[::-1])
    small = (
        cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        for part, size in zip((face, mouth), sizes, strict=True)
    )
    return b"".join(part.tobytes() for part in small)
