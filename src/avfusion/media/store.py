"""Read and write one video's media: frames.parquet, faces.zip, logmel.npy and meta.json.

A folder gets its final name only when it is complete; `meta.json` is written last.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from avfusion.errors import MediaError
from avfusion.media.writer import FRAME_COLUMNS, RecordWriter


class MediaRecord:
    """The media of one video; files are read on access."""

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        self.folder = folder
        self.meta = meta
        self._archive: tuple[int, zipfile.ZipFile] | None = None

    @classmethod
    def open(cls, folder: Path) -> "MediaRecord":
        """Open the record in `folder`.

        Raises
        ------
        MediaError
            If the media stage did not complete the folder.
        """
        path = folder / "meta.json"
        try:
            return cls(folder, json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None

    @property
    def duration_s(self) -> float:
        """Seconds from the first displayed frame to the end of the last."""
        return float(self.meta["duration_s"])

    @property
    def mel_hop_s(self) -> float:
        """Hop of `logmel` in seconds; row i is centred on `i * mel_hop_s`."""
        return float(self.meta["mel_hop_s"])

    @cached_property
    def frames(self) -> pd.DataFrame:
        """One row per displayed frame, see FRAME_COLUMNS; upright pixels; NaN without a face."""
        path = self.folder / "frames.parquet"
        try:
            return pd.read_parquet(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise _unreadable(path, error) from None

    @property
    def with_face(self) -> np.ndarray:
        """Indices of the frames that have a crop, ascending; int64 (n,)."""
        return np.flatnonzero(self.frames["score"].notna().to_numpy())

    def crops(self, frame_indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read the aligned faces of some frames.

        Parameters
        ----------
        frame_indices
            Indices of frames (n,) out of `with_face`, in any order.

        Returns
        -------
        ndarray
            RGB uint8 (n, face_px, face_px, 3), in the order of `frame_indices`.

        Raises
        ------
        MediaError
            If a frame has no face, or the file is damaged.
        """
        import cv2

        side = int(self.meta["face_px"])
        out = np.empty((len(frame_indices), side, side, 3), np.uint8)
        path = self.folder / "faces.zip"
        for row, frame in enumerate(frame_indices):
            try:
                raw = self._faces.read(f"{int(frame):07d}.jpg")
            except KeyError:
                raise MediaError(
                    f"{path}: frame {int(frame)} has no face. Read only frames in `with_face`."
                ) from None
            except (OSError, zipfile.BadZipFile) as error:
                raise _unreadable(path, error) from None
            bgr = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
            if bgr is None or bgr.shape != out.shape[1:]:
                raise _unreadable(path, ValueError(f"frame {int(frame)} is not a {side} px JPEG"))
            out[row] = bgr[..., ::-1]
        return out

    @cached_property
    def logmel(self) -> np.ndarray:
        """Natural logarithm of (mel power + 1e-6), float16 (N, bands); NaN without audio."""
        path = self.folder / "logmel.npy"
        try:
            mel = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        if mel.ndim != 2:
            raise _unreadable(path, ValueError(f"shape {mel.shape}, expected (rows, bands)"))
        return mel

    @property
    def _faces(self) -> zipfile.ZipFile:
        # Opened again in each process: a forked child would share its parent's file position.
        if self._archive is None or self._archive[0] != os.getpid():
            path = self.folder / "faces.zip"
            try:
                self._archive = os.getpid(), zipfile.ZipFile(path)
            except (OSError, zipfile.BadZipFile) as error:
                raise _unreadable(path, error) from None
        return self._archive[1]


@contextmanager
def new_record(folder: Path) -> Iterator[RecordWriter]:
    """Yield a writer of a temporary folder, which is renamed to `folder` if the block succeeds."""
    half = folder.with_name(f"{folder.name}.half{os.getpid()}")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        yield RecordWriter(half)
        take_name(half, folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def take_name(half: Path, folder: Path) -> None:
    """Rename `half` to `folder`; an identical record that another process wrote first stays."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        os.replace(half, folder)
    except OSError:
        if _key(folder) is None or _key(folder) != _key(half):
            raise


def remove_halves(folder: Path) -> None:
    """Remove incomplete folders of a record, except those of running processes."""
    for half in folder.parent.glob(f"{escape(folder.name)}.half*"):
        number = half.name.rpartition(".half")[2]
        if not (number.isdigit() and _alive(int(number))):
            shutil.rmtree(half, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _key(folder: Path) -> Any:
    try:
        return json.loads((folder / "meta.json").read_text()).get("key")
    except (OSError, ValueError):
        return None


def write_record(
    folder: Path,
    frames: pd.DataFrame,
    crops: dict[int, np.ndarray],
    logmel: np.ndarray,
    meta: dict[str, Any],
) -> MediaRecord:
    """Write a record from arrays in memory.

    Parameters
    ----------
    folder
        Folder of the record.
    frames
        One row per frame with `time_s`, `faces` and `score`; other columns are optional.
    crops
        Index of each frame with a score -> its face, RGB uint8 (face_px, face_px, 3).
    logmel
        (N, bands).
    meta
        At least face_px, mel_hop_s and duration_s.
    """
    table = frames.reindex(columns=FRAME_COLUMNS)
    with new_record(folder) as writer:
        for index, row in enumerate(table.itertuples(index=False)):
            writer.add_frame(row, crops.get(index))
        writer.add_logmel([logmel], *logmel.shape)
        writer.close(meta)
    return MediaRecord.open(folder)


def _unreadable(path: Path, error: Exception) -> MediaError:
    return MediaError(
        f"{path}: {type(error).__name__}: {error}. Remove {path.parent} and run "
        f"`avf media {path.parent.parent.name}` again."
    )
