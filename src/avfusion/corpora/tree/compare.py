"""Compare two copies of a corpus by their fingerprints, without the files of either."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from avfusion.corpora.wording import listed
from avfusion.errors import CorpusError


def compare(here: Path, there: Path) -> Iterator[str]:
    """Compare two fingerprints.parquet.

    Files that either side listed without a digest are compared by size.

    Parameters
    ----------
    here, there
        fingerprints.parquet of this laboratory and of the other one.

    Yields
    ------
    str
        A sentence each on files that are the same, that differ, and that only one side has.

    Raises
    ------
    CorpusError
        If a file is no fingerprints.parquet.
    """
    tables = [_read(path) for path in (here, there)]
    both = tables[0].merge(tables[1], on="path", how="outer", indicator=True)
    shared = both[both["_merge"] == "both"]
    hashed = shared["sha256_x"].notna() & shared["sha256_y"].notna()
    same_size = shared["bytes_x"] == shared["bytes_y"]
    same = same_size & (~hashed | (shared["sha256_x"] == shared["sha256_y"]))
    by_size = int((same & ~hashed).sum())
    note = f" ({by_size:,} of them compared by size only)" if by_size else ""
    yield f"{int(same.sum()):,} files are the same{note}."
    for statement, names in (
        ("differ", shared.loc[~same, "path"]),
        ("are only here", both.loc[both["_merge"] == "left_only", "path"]),
        ("are only there", both.loc[both["_merge"] == "right_only", "path"]),
    ):
        yield f"{len(names):,} {statement}" + (f": {listed(names)}" if len(names) else ".")


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=["path", "bytes", "sha256"])
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise CorpusError(f"{path}: not a fingerprints.parquet of avf verify ({error}).") from None
