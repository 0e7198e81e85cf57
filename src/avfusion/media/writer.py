"""Write one video's frames, faces and log-mel to disk in constant memory."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from avfusion.media.archive import StoredZip

FRAME_COLUMNS = (
    *("time_s", "faces", "score", "x", "y", "w", "h"),
    *(f"p{point}{axis}" for point in range(5) for axis in "xy"),
)


_SCHEMA = pa.schema(
    [("time_s", pa.float64()), ("faces", pa.int16())]
    + [(name, pa.float32()) for name in FRAME_COLUMNS[2:]]
)


_SCORE = FRAME_COLUMNS.index("score")


_GROUP_ROWS = 2048


class RecordWriter:
    """Writer of frames.parquet, faces.zip, logmel.npy and, last, meta.json."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._zip = StoredZip(folder / "faces.zip")
        self._table = pq.ParquetWriter(folder / "frames.parquet", _SCHEMA)
        self._rows: list[Sequence[float]] = []
        self._count = 0

    def add_frame(self, row: Sequence[float], crop: np.ndarray | bytes | None) -> None:
        """Append a frame: values in the order of FRAME_COLUMNS, and its crop or None."""
        if (crop is None) != math.isnan(row[_SCORE]):
            raise ValueError(
                f"{self.folder}: frame {self._count} must have both a score and a crop, or neither."
            )
        if crop is not None:
            raw = crop if isinstance(crop, bytes) else _jpeg(crop)
            self._zip.add(f"{self._count:07d}.jpg", raw)
        self._rows.append(row)
        self._count += 1
        if len(self._rows) == _GROUP_ROWS:
            self._flush()

    def add_logmel(self, blocks: Iterable[np.ndarray], rows: int, bands: int) -> None:
        """Write blocks (n, bands) that add up to `rows` rows."""
        written = 0
        with (self.folder / "logmel.npy").open("wb") as file:
            header = {"descr": "<f2", "fortran_order": False, "shape": (rows, bands)}
            np.lib.format.write_array_header_1_0(file, header)
            for block in blocks:
                file.write(np.ascontiguousarray(block, "<f2").tobytes())
                written += len(block)
        if written != rows:
            raise ValueError(f"{self.folder}: {written} log-mel rows, but {rows} were promised.")

    def close(self, meta: dict[str, Any]) -> None:
        """Complete the files; `meta` must have face_px, mel_hop_s and duration_s."""
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


def _jpeg(crop: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
