"""Two trees held against each other by their fingerprints, without either's files."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from avfusion.corpora.checks import listed
from avfusion.errors import CorpusError


def compare(here: Path, there: Path) -> Iterator[str]:
    """Sentences on what two fingerprints.parquet share, and where they differ.

    A file that a laboratory listed by size alone is compared by size.
    """
    tables = [_read(path) for path in (here, there)]
    both = tables[0].merge(tables[1], on="path", how="outer", indicator=True)
    shared = both[both["_merge"] == "both"]
    read = shared["sha256_x"].notna() & shared["sha256_y"].notna()
    alike = shared["bytes_x"] == shared["bytes_y"]
    same = alike & (~read | (shared["sha256_x"] == shared["sha256_y"]))
    unread = int((same & ~read).sum())
    told = f" ({unread:,} of them by size alone)" if unread else ""
    yield f"{int(same.sum()):,} files are the same{told}."
    for said, names in (
        ("differ", shared.loc[~same, "path"]),
        ("are here alone", both.loc[both["_merge"] == "left_only", "path"]),
        ("are there alone", both.loc[both["_merge"] == "right_only", "path"]),
    ):
        yield f"{len(names):,} {said}" + (f": {listed(names)}" if len(names) else ".")


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=["path", "bytes", "sha256"])
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise CorpusError(f"{path}: not a fingerprints.parquet of avf verify ({error}).") from None
