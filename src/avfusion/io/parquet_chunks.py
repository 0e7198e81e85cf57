"""What the columns of a Parquet file unpack to, by their pages and not by the footer.

A dictionary, or a common beginning of values, states a long text in a few bits per cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from avfusion.io.parquet_pages import Page, pages

BATCH_BYTES = 1 << 26
"""Bytes of text that are unpacked at a time to count them (64 MB)."""

_PLAIN, _LENGTHS, _BY_DICTIONARY = 0, 6, (2, 8)
"""Numbers of Parquet's encodings: values as they are, with lengths first, and of a dictionary."""


@dataclass(frozen=True)
class Chunk:
    """One column of one row group, with its pages."""

    file: pq.ParquetFile
    group: int
    column: int
    pages: list[Page]

    @property
    def values(self) -> int:
        """Its values; those of lists count one by one."""
        return sum(page.values for page in self._data)

    @property
    def unpacked(self) -> int:
        """Bytes of its pages without compression."""
        return sum(page.unpacked for page in self.pages)

    @property
    def most_repeated(self) -> int:
        """The most bytes that its values can have beyond those in its pages."""
        return sum(page.values * self._longest(page) for page in self._data)

    def repeated(self, most: int) -> int:
        """Count the bytes of its values where they may be more than its pages; stop past `most`."""
        longest = max(map(self._longest, self._data), default=0)
        kind = self.file.schema.column(self.column)
        if not longest or kind.length > 0 or kind.max_repetition_level:
            return self.most_repeated  # exact, or a row of lists, which cannot be read in parts
        counted, rows = 0, max(1, BATCH_BYTES // longest)
        name = self.file.metadata.row_group(self.group).column(self.column).path_in_schema
        for batch in self.file.iter_batches(rows, [self.group], [name], use_threads=False):
            counted += _bytes(batch)
            if counted > most:
                break
        return counted

    @cached_property
    def _data(self) -> list[Page]:
        return [page for page in self.pages if not page.dictionary]

    def _longest(self, page: Page) -> int:
        """Return the most bytes that a value of a page can have beyond those in the page."""
        kind = self.file.schema.column(self.column)
        if not kind.physical_type.endswith("BYTE_ARRAY") or page.encoding in (_PLAIN, _LENGTHS):
            return 0  # a number has at most 12 bytes
        if kind.length > 0:
            return int(kind.length)
        if page.encoding in _BY_DICTIONARY:
            return max((other.unpacked for other in self.pages if other.dictionary), default=0)
        return page.unpacked


def chunks(file: pq.ParquetFile, path: Path) -> Iterator[Chunk]:
    """Yield the chunks of a file.

    Raises
    ------
    ValueError
        If the header of a page cannot be read.
    """
    footer = file.metadata
    for group in range(footer.num_row_groups):
        for column in range(footer.num_columns):
            yield Chunk(file, group, column, list(pages(file, path, group, column)))


def _bytes(batch: pa.RecordBatch) -> int:
    """Return the bytes of a batch, with each value of a dictionary as often as it is used."""
    columns = (
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    )
    return sum(int(column.nbytes) for column in columns)
