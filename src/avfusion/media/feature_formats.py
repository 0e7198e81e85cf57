"""Read tables of features that another tool wrote: .npy, .npz, .csv, .tsv, .parquet, .h5.

A pickle is refused, because reading it can run code.
"""

import functools
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.errors import CorpusError
from avfusion.io.bounded import MOST_ARRAY_BYTES, refuse_large_parquet, refuse_large_zip

ENDINGS = (".npy", ".npz", ".csv", ".tsv", ".txt", ".parquet", ".h5", ".hdf5")
TIMES = ("time_s", "times_s", "times", "time")
"""Names of the column, array or dataset with the times of the rows, if no option names it."""


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a file.

    Attributes
    ----------
    frame
        One row per row of the file, with the names of its columns as text; those of an array are
        its numbers, "0", "1", ….
    single
        Whether the file is one vector, without rows.
    """

    frame: pd.DataFrame
    single: bool = False


def read_table(path: Path, key: str = "", time: str = "") -> Table:
    """Read a file of features.

    Parameters
    ----------
    path
        The file.
    key
        Array in an .npz file or dataset in an .h5 file; by default the only one.
    time
        Array or dataset with the times of its rows; one of `TIMES` if there is none of this name.
        It becomes the column of its name.

    Raises
    ------
    CorpusError
        If there is no such file, it cannot be read, or it is ambiguous which array is meant.
    """
    if not path.is_file():
        raise CorpusError(f"{path}: no such file.")
    state = path.stat()
    return _read(path, key, time, state.st_mtime_ns, state.st_size)


_UNREADABLE = (OSError, ValueError, TypeError, KeyError, EOFError, MemoryError, zipfile.BadZipFile)


@functools.lru_cache(maxsize=1)  # one table may hold the rows of all videos
def _read(path: Path, key: str, time: str, *stamp: int) -> Table:
    ending = path.suffix.lower()
    if ending in (".pkl", ".pickle", ".pt", ".joblib"):
        raise CorpusError(
            f"{path}: a pickle, which can run code when it is read. Save the features as "
            f"{', '.join(ENDINGS)}."
        )
    if ending not in ENDINGS:
        raise CorpusError(f"{path}: unknown file type; expected {', '.join(ENDINGS)}.")
    try:
        if ending == ".npy":
            # A mapped array cannot be larger than its file, whatever its header says.
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            return _arrays(path, {"": array}, key, time)
        if ending == ".npz":
            refuse_large_zip(path)
            with np.load(path, allow_pickle=False) as archive:
                return _arrays(path, {name: archive[name] for name in archive.files}, key, time)
        if ending in (".h5", ".hdf5"):
            return _hdf5(path, key, time)
        return Table(_parquet(path) if ending == ".parquet" else _text(path))
    except (*_UNREADABLE, pd.errors.ParserError) as error:
        text = f"{type(error).__name__}: {str(error)[:120]}"
        raise CorpusError(f"{path}: cannot be read ({text}). Extract it again.") from None


def _text(path: Path) -> pd.DataFrame:
    """Read a table separated by comma, semicolon or tab; blanks around names are removed."""
    raw = path.read_bytes()
    first = raw.partition(b"\n")[0].decode("utf-8-sig", "replace")
    frame = pd.read_csv(
        io.BytesIO(raw),
        sep=max(",;\t", key=first.count),
        skipinitialspace=True,
        encoding="utf-8-sig",
        index_col=False,
        na_values=["?"],
    )
    return _named(path, frame)


def _parquet(path: Path) -> pd.DataFrame:
    refuse_large_parquet(path, MOST_ARRAY_BYTES // 8, MOST_ARRAY_BYTES)
    frame = pd.read_parquet(path)
    return _named(path, frame.reset_index() if any(frame.index.names) else frame)


def _named(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with names as text; raise CorpusError if two columns have one name."""
    frame.columns = [str(name).strip() for name in frame.columns]
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise CorpusError(f"{path}: two columns are named {twice!r}. Rename one.")
    return frame


def _hdf5(path: Path, key: str, time: str) -> Table:
    """Read the dataset that is meant and its times; a few bytes can state many large ones."""
    try:
        import h5py
    except ImportError:
        raise CorpusError(
            f"{path}: HDF5 is read by h5py, which is not installed. Run: make extras. Or save "
            f"the features as .npz or .parquet."
        ) from None
    nodes: dict[str, Any] = {}

    def visit(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset) and node.dtype.kind in "fiu":
            nodes[name] = node

    with h5py.File(path, "r") as file:
        file.visititems(visit)
        return _arrays(path, nodes, key, time)


def _arrays(path: Path, arrays: Mapping[str, Any], key: str, time: str) -> Table:
    """Return the array that is meant, with its times, if any, as a column; read no other."""
    named = time if time in arrays else next((name for name in TIMES if name in arrays), "")
    times_s = arrays.get(named) if named else None
    left = {name: array for name, array in arrays.items() if not named or name != named}
    if key and key not in left:
        raise CorpusError(f"{path}: no array {key!r}; it holds {', '.join(left) or 'none'}.")
    if not key and len(left) != 1:
        raise CorpusError(
            f"{path}: {len(left)} arrays: {', '.join(left) or 'none'}. Name one by the option "
            f"`key` of its encoder."
        )
    array = left[key] if key else next(iter(left.values()))
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu":
        raise CorpusError(
            f"{path}: {array.dtype} of shape {array.shape}; expected numbers of shape (rows, "
            f"features), or (features,) for one vector."
        )
    size = array.nbytes + (times_s.nbytes if times_s is not None else 0)
    if size > MOST_ARRAY_BYTES:
        raise ValueError(f"it unpacks to {size:,} bytes; at most {MOST_ARRAY_BYTES:,} are read")
    array, times_s = array[()], times_s if times_s is None else times_s[()]
    steps = times_s is not None and array.ndim == 1 and array.shape == times_s.shape
    frame = pd.DataFrame(array[:, None] if steps else np.atleast_2d(array))
    frame.columns = frame.columns.astype(str)
    if times_s is not None:
        if times_s.shape != (len(frame),):
            raise CorpusError(
                f"{path}: {named} has the shape {times_s.shape}, but there are {len(frame)} rows."
            )
        frame[named] = times_s
    return Table(frame, single=array.ndim == 1 and not steps)
