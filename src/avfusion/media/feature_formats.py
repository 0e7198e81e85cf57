"""Read tables of features that another tool wrote: .npy, .npz, .csv, .tsv, .parquet, .h5.

A pickle is refused, because reading it can run code.
"""

import csv
import functools
import io
import re
import warnings
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

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z")
_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*[\r\n]+)*([^\r\n]*)")
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
"""A number with a decimal comma."""


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
        remedy = " Unpack it first." if ending in PACKED else ""
        raise CorpusError(f"{path}: unknown file type; expected {', '.join(ENDINGS)}.{remedy}")
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
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not UTF-8 (byte {error.start:,}). Save it as UTF-8.") from None
    except (*_UNREADABLE, pd.errors.ParserError) as error:
        if ending in (".npy", ".npz") and "object" in str(error).lower():
            raise CorpusError(
                f"{path}: holds Python objects as a pickle, which can run code when it is read. "
                f"Save numbers, such as by np.save(path, array.astype('float32'))."
            ) from None
        text = f"{type(error).__name__}: {str(error)[:120]}"
        raise CorpusError(f"{path}: cannot be read ({text}). Extract it again.") from None


def _text(path: Path) -> pd.DataFrame:
    """Read a table separated by comma, semicolon or tab; blanks around names are removed.

    Numbers may have a decimal comma if the separator is another one. Without a line of names,
    columns have numbers, as those of an array. The index that pandas writes is no feature.
    """
    raw = path.read_bytes()
    first = _FIRST.match(raw)
    line = first[1].decode() if first else ""
    sep = max(",;\t", key=re.sub(r"(?<=\d),(?=\d)", "", line).count)
    names = [
        name.strip() for name in next(csv.reader([line], delimiter=sep, skipinitialspace=True), [])
    ]
    bare = all(map(_is_number, names)) and not _counts(names)
    if not bare:
        _refuse_twice(path, [name for name in names if name])

    def read(decimal: str) -> pd.DataFrame:
        return pd.read_csv(
            io.BytesIO(raw),
            sep=sep,
            encoding="utf-8-sig",
            decimal=decimal,
            header=None if bare else 0,
            skipinitialspace=True,
            index_col=False,
            na_values=["?"],
            low_memory=False,
        )

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = read(".")
            if sep != "," and any(_with_comma(frame[name]) for name in frame.columns):
                frame = read(",")
    except pd.errors.ParserWarning:
        raise CorpusError(
            f"{path}: a row has more cells than the first line, {line[:60]!r}. Remove what is over "
            f"the names of the columns; write numbers with decimal points, or separate cells by "
            f"semicolon or tab."
        ) from None
    columns = zip(names, frame.items(), strict=True)
    kept = [name != "" or bool(column.notna().any()) for name, (_, column) in columns]
    if names and not names[0] and _counts(frame.iloc[:, 0].astype(str).tolist()):
        kept[0] = False
    return _named(path, frame.loc[:, kept])


def _is_number(text: str) -> bool:
    """Return whether a cell is a number, also one with a decimal comma."""
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _counts(texts: list[str]) -> bool:
    """Return whether the texts are 0, 1, 2, … or 1, 2, 3, …."""
    return any(texts == [str(start + k) for k in range(len(texts))] for start in (0, 1))


def _with_comma(column: pd.Series) -> bool:
    """Return whether most cells of a column are numbers with a decimal comma."""
    if pd.api.types.is_numeric_dtype(column):
        return False
    cells = column.dropna().astype(str)
    return bool(len(cells)) and float(cells.str.fullmatch(_COMMA.pattern).mean()) > 0.5


def _parquet(path: Path) -> pd.DataFrame:
    refuse_large_parquet(path, MOST_ARRAY_BYTES // 8, MOST_ARRAY_BYTES)
    frame = pd.read_parquet(path)
    return _named(path, frame.reset_index() if any(frame.index.names) else frame)


def _named(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with names as text; raise CorpusError if two columns have one name."""
    frame.columns = [str(name).strip() for name in frame.columns]
    _refuse_twice(path, list(frame.columns))
    return frame


def _refuse_twice(path: Path, names: list[str]) -> None:
    """Raise CorpusError if two columns have one name."""
    index = pd.Index(names)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise CorpusError(f"{path}: two columns are named {twice!r}. Rename one.")


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
