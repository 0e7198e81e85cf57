"""Write features, one float16 row per clip, and read them memory-mapped through an index."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from avfusion.errors import AvfError, DamagedError
from avfusion.io.atomic import file_digest, write_bytes
from avfusion.io.shards import read_table
from avfusion.schemas import INDEX


class Features(NamedTuple):
    """One video's features: row i describes the clip that ends at `times_s[i]`."""

    times_s: np.ndarray  # (N,) float64
    rows: np.ndarray  # (N, D) float16; NaN rows = the modality is absent in the whole clip


def write_features(folder: Path, video: str, times_s: np.ndarray, rows: np.ndarray) -> str:
    """Write `<video>.times.npy` and `<video>.npy`.

    Parameters
    ----------
    folder
        Folder of the corpus and encoder.
    video
        Name of the video.
    times_s
        Clip ends (N,) in seconds.
    rows
        Features (N, D); NaN rows where the modality is absent.

    Returns
    -------
    str
        SHA-256 of `<video>.npy`.
    """
    _write_array(folder / f"{video}.times.npy", times_s.astype(np.float64))
    return _write_array(folder / f"{video}.npy", rows.astype(np.float16))


def _write_array(path: Path, array: np.ndarray) -> str:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    data = buffer.getvalue()
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


class FeatureStore:
    """Features of one corpus and encoder, read video by video.

    Parameters
    ----------
    path
        index.parquet of the features.
    index
        Its rows: one per video, with the columns of `schemas.INDEX`.
    """

    def __init__(self, path: Path, index: pd.DataFrame) -> None:
        self.path = path
        self.index = index.set_index("video")
        self._entries = {row["video"]: row for row in index.to_dict("records")}
        self._times_s: dict[str, np.ndarray] = {}  # of videos whose files match the index

    @classmethod
    def open(cls, path: Path) -> "FeatureStore":
        """Open `features/<corpus>/<encoder>/index.parquet`.

        Raises
        ------
        AvfError
            If there is no such file, or it is not an index of features.
        """
        if not path.is_file():
            raise AvfError(f"{path}: no such index. Run {_again(path.parent)}.")
        index = read_table(path)
        missing = [column for column in INDEX if column not in index.columns]
        if missing:
            raise AvfError(
                f"{path}: not an index of features; it lacks {', '.join(missing)}. "
                f"Remove {path.parent} and run {_again(path.parent)}."
            )
        return cls(path, index)

    @property
    def videos(self) -> list[str]:
        """Videos that have features, sorted; `index` gives the reason for the failed ones."""
        return sorted(self.index.index[self.index["status"] == "ok"])

    @property
    def dim(self) -> int:
        """Width D of the features, the same for all videos."""
        widths = sorted(set(self.index.loc[self.videos, "dim"].astype(int)))
        if len(widths) != 1:
            actual = f"widths {widths}" if widths else "no video with features"
            raise AvfError(
                f"{self.path}: expected features of one width, found {actual}. "
                f"Remove {self.path.parent} and run {_again(self.path.parent)}."
            )
        return widths[0]

    def load(self, video: str) -> Features:
        """Return the times (N,) and the memory-mapped rows (N, D) of one video.

        Raises
        ------
        AvfError
            If the store has no features of the video.
        DamagedError
            If a file differs from the index.
        """
        if video not in self._entries:
            raise AvfError(f"{self.path}: no video {video!r}. Run {_again(self.path.parent)}.")
        entry = self._entries[video]
        if entry["status"] != "ok":
            raise AvfError(f"{self.path}: {video!r} has no features: {entry['reason']}")
        rows = self._array(f"{video}.npy", (int(entry["rows"]), int(entry["dim"])), np.float16)
        if video not in self._times_s:
            times_s = self._array(f"{video}.times.npy", (int(entry["rows"]),), np.float64)
            self._check(video, times_s, entry["sha256"])
            self._times_s[video] = np.array(times_s)
        return Features(self._times_s[video], rows)

    def times(self, video: str) -> np.ndarray:
        """Return the times (N,) of one video; they stay in memory. Errors are those of `load`."""
        if video not in self._times_s:
            self.load(video)
        return self._times_s[video]

    def _check(self, video: str, times_s: np.ndarray, sha256: str) -> None:
        """Check that the bytes match the index and that clips end every hop."""
        good = {
            f"{video}.npy": file_digest(self.path.parent / f"{video}.npy").hex() == sha256,
            f"{video}.times.npy": np.array_equal(
                times_s, np.arange(1, len(times_s) + 1) * times_s[:1]
            ),
        }
        for name in (name for name, equal in good.items() if not equal):
            raise self._refusal(name, "what `avf encode` wrote", "other bytes")

    def _refusal(self, name: str, expected: str, actual: str) -> DamagedError:
        path = self.path.parent
        return DamagedError(
            f"{path / name}: expected {expected}, found {actual}. Remove it and run {_again(path)}."
        )

    def _array(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        path = self.path.parent / name
        try:
            array = np.load(path, mmap_mode="r" if shape[0] else None, allow_pickle=False)
            actual = f"{array.dtype} {array.shape}"
        except (OSError, ValueError, EOFError) as error:
            array, actual = None, f"{type(error).__name__}: {error}"
        if array is None or array.shape != shape or array.dtype != dtype:
            raise self._refusal(name, f"{np.dtype(dtype)} {shape} as the index says", actual)
        return array


def _again(folder: Path) -> str:
    """Return the commands that write the features of a folder of `Layout` again."""
    parts = folder.parts
    if parts[-5:-4] == ("robustness",):  # corpus, "features", corruption-level, encoder
        corruption, _, level = parts[-2].partition("-")
        return f"`avf corrupt {parts[-4]} {corruption} {level} {folder.name}`"
    encode = f"`avf encode {folder.parent.name} {folder.name}`"
    return f"{encode} and `avf index {folder} --shards 1`"
