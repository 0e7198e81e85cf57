"""Bounds on what a file may hold, checked before memory is taken for it.

A compressed table or an alias of YAML can state in a few bytes what takes gigabytes to hold.
"""

import zipfile
from pathlib import Path

import pyarrow.parquet as pq

from avfusion.errors import CorpusError

MOST_CELLS = 10_000_000
"""Cells of a table that is read as text: ratings of 28 hours at 50 Hz have half as many."""

MOST_BYTES = 1 << 28
"""Bytes of a table that is read as text (256 MB)."""

MOST_ARRAY_BYTES = 1 << 34
"""Bytes of arrays in one file of features (16 GB)."""


def refuse_large(path: Path, most: int = MOST_BYTES) -> None:
    """Raise ValueError if a file has more than `most` bytes."""
    size = path.stat().st_size
    if size > most:
        raise ValueError(f"{size:,} bytes, at most {most:,} are read; split it into several files")


def content(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file of a corpus.

    Raises
    ------
    CorpusError
        If it has more than `most` bytes.
    """
    try:
        refuse_large(path, most)
    except ValueError as error:
        raise CorpusError(f"{path}: {error}.") from None
    return path.read_bytes()


def refuse_large_parquet(
    path: Path, cells: int = MOST_CELLS, most: int = MOST_BYTES, columns: int = 100_000
) -> None:
    """Raise ValueError if a Parquet file states more cells, bytes or columns than are read.

    Only the footer is read.
    """
    with pq.ParquetFile(path) as file:
        footer = file.metadata
        held = footer.num_rows * max(1, footer.num_columns)
        groups = range(footer.num_row_groups)
        size = sum(footer.row_group(group).total_byte_size for group in groups)
        if footer.num_columns > columns or held > cells or not 0 <= size <= most:
            raise ValueError(
                f"{footer.num_rows:,} rows of {footer.num_columns:,} columns and {size:,} bytes; "
                f"at most {cells:,} cells and {most:,} bytes are read; split it into several files"
            )


def refuse_large_zip(path: Path, most: int = MOST_ARRAY_BYTES) -> None:
    """Raise ValueError if the members of an archive unpack to more than `most` bytes.

    The sizes are those that the archive states; zipfile reads no more of a member than that.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > most:
        raise ValueError(f"it unpacks to {size:,} bytes; at most {most:,} are read")
