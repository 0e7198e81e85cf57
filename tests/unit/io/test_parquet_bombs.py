"""Test that small Parquet files that unpack to much are refused before memory is taken."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from avfusion.io.bounded import refuse_large_parquet
from avfusion.io.parquet_pages import Header

MB = 1 << 20
WRITING = {"compression": "zstd", "dictionary_pagesize_limit": 4 * MB}
READ = """
import resource, sys
from pathlib import Path
from avfusion.corpora.formats.table import read_sheet
from avfusion.errors import CorpusError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_sheet(Path(sys.argv[1]), "ratings", (), "")
except CorpusError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def repeats(cells):
    """Many cells of one text of 2 MB, by a dictionary."""
    return pa.DictionaryArray.from_arrays(np.zeros(cells, np.int32), ["x" * 2 * MB])


def test_a_small_table_of_many_large_cells_takes_little_memory(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": repeats(600)}), path, **WRITING)
    assert path.stat().st_size < 10_000  # and 1.2 GB of text
    words = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    taken_kb, _, message = done.stdout.partition(" ")
    assert "are read; split it" in message
    assert int(taken_kb) / (1 << 20 if sys.platform == "darwin" else 1 << 10) < 500


TABLES = {
    "dictionary": (pa.table({"a": repeats(20)}), {}),
    "text": (pa.table({"a": repeats(20).cast(pa.string())}), {}),
    "lists": (pa.table({"a": pa.ListArray.from_arrays([0, 20], repeats(20))}), {}),
    "fixed": (pa.table({"a": pa.array([b"x" * MB] * 40, pa.binary(MB))}), {}),
    "beginnings": (
        pa.table({"a": ["x" * MB] * 40}),
        {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"},
    ),
}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("name", TABLES)
def test_text_is_counted_as_often_as_it_is_repeated(tmp_path, name, version):
    table, options = TABLES[name]
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, **WRITING, **options, data_page_version=version)
    refuse_large_parquet(path, most=64 * MB)
    with pytest.raises(ValueError, match="are read; split it"):
        refuse_large_parquet(path, most=16 * MB)


def test_a_repeated_text_that_is_short_is_no_fault(tmp_path):
    path = tmp_path / "a.parquet"
    names = [f"video{row % 1000}" for row in range(20_000)]
    pq.write_table(pa.table({"video": names, "x": np.arange(20_000.0)}), path)
    refuse_large_parquet(path, most=2 * MB)


def test_the_footer_is_not_believed(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [b"\0" * 4 * MB]}), path, **WRITING, use_dictionary=False)
    footer = pq.read_metadata(path).row_group(0)
    raw = path.read_bytes()
    for size in {footer.total_byte_size, footer.column(0).total_uncompressed_size}:
        true = varint(2 * size)
        raw = raw.replace(true, varint(2 * 100, len(true)))
    path.write_bytes(raw)
    assert pq.read_metadata(path).row_group(0).total_byte_size == 100
    with pytest.raises(ValueError, match=r"4,194,\d\d\d bytes or more; at most"):
        refuse_large_parquet(path, most=MB)


def varint(value, size=1):
    """A number in Thrift's compact form, in `size` bytes or more."""
    parts = []
    while value or len(parts) < size:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts[:-1], parts[-1] & 127])


def test_rows_of_lists_are_counted_by_their_values(tmp_path):
    path = tmp_path / "a.parquet"
    values = pa.array(np.zeros(100_000, np.int8))
    pq.write_table(pa.table({"a": pa.ListArray.from_arrays([0, 100_000], values)}), path)
    assert path.stat().st_size < 2_000
    with pytest.raises(ValueError, match="at most 50,000 cells"):
        refuse_large_parquet(path, cells=50_000)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "cut off"),
        (b"\x15", "cut off"),
        (b"\x15" + 20 * b"\xff", "more than 64 bits"),
        (b"\x18\x7fabc", "cut off"),
        (b"\x1d\x00", "unknown type"),
        (50 * b"\x1c", "too deeply"),
        (b"\x19" + 50 * b"\x19", "too deeply"),
    ],
)
def test_any_bytes_as_the_header_of_a_page_are_read_or_refused(raw, reason):
    with pytest.raises(ValueError, match=reason):
        Header(raw).struct()
