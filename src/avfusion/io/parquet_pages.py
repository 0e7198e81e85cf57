"""Sizes of a Parquet file by the headers of its pages, which are what a reader allocates.

The footer states sizes too, but nothing holds it to them. Headers are in Thrift's compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md, their fields in
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow.parquet as pq

_LONGEST_HEADER = 1 << 18
"""Bytes of a header that are read; statistics in it hold values of the page."""
_UNPACKED, _PACKED = 2, 3
"""Numbers of the fields of a PageHeader that hold sizes in bytes."""
_KINDS = {5: 2, 7: 2, 8: 4}
"""Field of a PageHeader for a data page, a dictionary or a new data page -> field of encoding."""
_DICTIONARY, _VALUES = 7, 1
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_NESTED = 8
"""Most structs or lists within each other; a PageHeader has 3."""


class Page(NamedTuple):
    """What the header of a page states: its values, its bytes without compression, its encoding."""

    dictionary: bool
    values: int
    unpacked: int
    encoding: int


def pages(file: pq.ParquetFile, path: Path, group: int, column: int) -> Iterator[Page]:
    """Yield the pages of a column in a row group.

    Raises
    ------
    ValueError
        If a header is not one of a page.
    """
    chunk = file.metadata.row_group(group).column(column)
    begin = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        begin = min(begin, chunk.dictionary_page_offset)
    end = begin + chunk.total_compressed_size
    with path.open("rb") as raw:
        while begin < end:
            raw.seek(begin)
            page, size = _page(raw, end - begin)
            yield page
            begin += size


def _page(raw: BinaryIO, most: int) -> tuple[Page, int]:
    """Return the page at the position of a file, and its bytes with its header."""
    head = Header(raw.read(min(most, _LONGEST_HEADER)))
    fields = head.struct()
    kind = next((number for number in _KINDS if number in fields), 0)
    inner = fields.get(kind)
    stated = inner if isinstance(inner, dict) else {}
    numbers = [fields.get(_PACKED), fields.get(_UNPACKED)]
    numbers += [stated.get(_VALUES, 0), stated.get(_KINDS.get(kind, 0), 0)]
    packed, unpacked, values, encoding = (n if isinstance(n, int) else -1 for n in numbers)
    if min(packed, unpacked, values, encoding) < 0:
        raise ValueError("a page without sizes, or with a negative one")
    return Page(kind == _DICTIONARY, values, unpacked, encoding), head.at + packed


class Header:
    """A reader of Thrift's compact protocol.

    Parameters
    ----------
    raw
        Bytes that begin with a struct.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw, self.at = raw, 0

    def struct(self, depth: int = 0) -> dict[int, object]:
        """Return the integers, flags and structs of a struct by the numbers of their fields.

        Raises
        ------
        ValueError
            If the bytes are no struct.
        """
        fields: dict[int, object] = {}
        number = 0
        while byte := self._byte():
            number = number + (byte >> 4) if byte >> 4 else self._integer()
            fields[number] = self._value(byte & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> object:
        """Return an integer, flag or struct; pass over other values and return None."""
        if depth > _NESTED:
            raise ValueError("a header that is nested too deeply")
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            self._list(depth + 1)
        elif kind in (_BYTE, _DOUBLE):
            self._skip(1 if kind == _BYTE else 8)
        elif kind == _BINARY:
            self._skip(self._varint())
        elif kind < _DOUBLE:
            return self._integer()
        else:
            raise ValueError("a header with a value of unknown type")
        return None

    def _list(self, depth: int) -> None:
        byte = self._byte()
        size, kind = byte >> 4, byte & 15
        for _ in range(self._varint() if size == 15 else size):
            if kind in (_TRUE, _FALSE):
                self._skip(1)
            else:
                self._value(kind, depth)

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._raw):
            raise ValueError("a header that is cut off")

    def _byte(self) -> int:
        self._skip(1)
        return self._raw[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value, shift = value | (byte & 127) << shift, shift + 7
            if shift > 63:
                raise ValueError("a header with a number of more than 64 bits")
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
