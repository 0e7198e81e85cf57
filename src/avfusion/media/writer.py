"""Write one video's frames, faces, sound and voice activity to disk in constant memory."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from avfusion.media.archive import StoredZip
from avfusion.media.audio import Piece
from avfusion.media.voice import VOICED
from avfusion.media.waveform import SoundWriter

FRAME_COLUMNS = (
    *("time_s", "faces", "score", "x", "y", "w", "h"),
    *(f"p{point}{axis}" for point in range(5) for axis in "xy"),
)


FACE_COLUMNS = FRAME_COLUMNS[2:]
"""The columns that are NaN without a face."""


_SCHEMA = pa.schema(
    [("time_s", pa.float64()), ("faces", pa.int16())]
    + [(name, pa.float32()) for name in FRAME_COLUMNS[2:]]
)


_SCORE = FRAME_COLUMNS.index("score")


_GROUP_ROWS = 2048


SOUND, NATIVE, VOICE = "sound.npy", "native.npy", "voice.npy"
"""Files of a record: sound at the study's rate, at its native rate, and voice activity."""


def crop_name(frame: int, person: int | None = None) -> str:
    """Return the name of a crop in faces.zip: of the followed person, or of another one."""
    return f"{frame:07d}.jpg" if person is None else f"{frame:07d}-{person}.jpg"


class RecordWriter:
    """Writer of frames.parquet, faces.zip, sound.npy, voice.npy and, last, meta.json."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._zip = StoredZip(folder / "faces.zip")
        self._table = pq.ParquetWriter(folder / "frames.parquet", _SCHEMA, use_dictionary=False)
        self._rows: list[Sequence[float | None]] = []
        self._count = 0

    def add_frame(self, row: Sequence[float | None], crop: np.ndarray | bytes | None) -> None:
        """Append a frame: values in the order of FRAME_COLUMNS, and its crop or None.

        The number of faces is None for a frame that was not searched.
        """
        score = row[_SCORE]
        if (crop is None) != (score is None or math.isnan(score)):
            raise ValueError(
                f"{self.folder}: frame {self._count} must have both a score and a crop, or neither."
            )
        if crop is not None:
            raw = crop if isinstance(crop, bytes) else _jpeg(crop)
            self._zip.add(crop_name(self._count), raw)
        self._rows.append(row)
        self._count += 1
        if len(self._rows) == _GROUP_ROWS:
            self._flush()

    def add_crop(self, name: str, crop: bytes) -> None:
        """Store the JPEG of another person than the followed one under a name."""
        self._zip.add(name, crop)

    def add_sound(
        self, pieces: Iterable[Piece], rate_hz: int, scale: float = 1.0, name: str = SOUND
    ) -> dict[str, Any]:
        """Write mono samples in constant memory; return their description for the meta.

        Parameters
        ----------
        pieces
            (first sample on the video's timeline, samples float32 (n,)), ascending.
        rate_hz
            Sampling rate of the pieces.
        scale
            Largest value that can be stored.
        name
            Name of the file.
        """
        sound = SoundWriter(self.folder / name, rate_hz, scale)
        for start, samples in pieces:
            sound.add(start, samples)
        return sound.close()

    def add_voice(self, blocks: Iterable[np.ndarray]) -> dict[str, Any]:
        """Write blocks (n,) of the probability of speech; return their share of speech."""
        written = voiced = known = 0
        with (self.folder / VOICE).open("wb") as file:
            _voice_header(file, 0)
            for block in blocks:
                file.write(np.ascontiguousarray(block, "<f4").tobytes())
                written += len(block)
                known += int(np.count_nonzero(~np.isnan(block)))
                voiced += int(np.count_nonzero(block >= VOICED))
            file.seek(0)
            _voice_header(file, written)
        return {"rows": written, "known": known, "share": voiced / known if known else None}

    def close(self, meta: dict[str, Any]) -> None:
        """Complete the files; `meta` must have face_px, duration_s and sound."""
        self._flush()
        self._table.close()
        self._zip.close()
        (self.folder / "meta.json").write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n")

    def _flush(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(_SCHEMA)
        arrays = [
            pa.array(c, f.type, from_pandas=False) for c, f in zip(columns, _SCHEMA, strict=True)
        ]
        self._table.write_table(pa.table(arrays, schema=_SCHEMA))
        self._rows.clear()


def _voice_header(file: BinaryIO, rows: int) -> None:
    """Write the header of voice.npy, in which NumPy leaves space for more rows."""
    shape = {"descr": "<f4", "fortran_order": False, "shape": (rows,)}
    np.lib.format.write_array_header_1_0(file, shape)


def _jpeg(crop: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
