"""Bounds on what a file may hold, checked before memory is taken for it.

A compressed table or an alias of YAML can state in a few bytes what takes gigabytes to hold.
"""

import zipfile
from pathlib import Path

import pyarrow.parquet as pq

from avfusion.errors import CorpusError
from avfusion.io.parquet_chunks import chunks

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
    """Raise ValueError if a Parquet file has more cells, bytes or columns than are read.

    The footer is compared first, then the headers of all pages. Text that a small file can repeat
    is unpacked in parts and counted.
    """
    with pq.ParquetFile(path) as file:
        footer = file.metadata
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        rows = max(footer.num_rows, sum(group.num_rows for group in groups))

        def refuse(size: int, values: int) -> None:
            if footer.num_columns > columns or values > cells or not 0 <= size <= most:
                raise ValueError(
                    f"{rows:,} rows of {footer.num_columns:,} columns and {size:,} bytes or more; "
                    f"at most {cells:,} cells and {most:,} bytes are read; split it into several "
                    f"files"
                )

        refuse(sum(g.total_byte_size for g in groups), rows * max(1, footer.num_columns))
        held, size, values = [], 0, 0
        for chunk in chunks(file, path):
            size, values = size + chunk.unpacked, values + chunk.values
            refuse(size, values)
            held.append(chunk)
        if size + sum(chunk.most_repeated for chunk in held) > most:
            for chunk in held:
                size += chunk.repeated(most - size)
                refuse(size, values)


def refuse_large_zip(path: Path, most: int = MOST_ARRAY_BYTES) -> None:
    """Raise ValueError if the members of an archive unpack to more than `most` bytes.

    The sizes are those that the archive states; zipfile reads no more of a member than that.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > most:
        raise ValueError(f"it unpacks to {size:,} bytes; at most {most:,} are read")
