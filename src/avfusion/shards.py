"""Videos are dealt out to jobs by row number; each writes a shard table, joined at the end."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from avfusion.errors import AvfError, DamagedError
from avfusion.whole import replacing


def deal(manifest: pd.DataFrame, shard: tuple[int, int]) -> pd.DataFrame:
    """Rows of shard (i, n): the i-th of every n, in the manifest's order."""
    index, count = shard
    return manifest.iloc[index::count]


def shard_path(folder: Path, shard: tuple[int, int]) -> Path:
    """Table of shard (i, n) below a media or feature folder."""
    return folder / f"shard-{shard[0]}-of-{shard[1]}.parquet"


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet whole or not at all, with a checksum on every page."""
    with replacing(path) as half:
        table.to_parquet(half, index=False, write_page_checksum=True)


def read_table(path: Path, **how: Any) -> pd.DataFrame:
    """Read Parquet (`how` as in pandas.read_parquet); refuses a damaged file by its name."""
    try:
        return pd.read_parquet(path, page_checksum_verification=True, **how)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise DamagedError(
            f"{path}: damaged ({type(error).__name__}: {error}). Run `rm '{path}'`, then "
            f"`snakemake all`, which makes it again."
        ) from None


def join(folder: Path) -> pd.DataFrame:
    """Join the newest complete set of shards into index.parquet, sorted by video.

    Refuses a table in which every video failed: nothing can follow from it.
    """
    sets: dict[int, list[Path]] = {}
    for path in sorted(folder.glob("shard-*-of-*.parquet")):
        sets.setdefault(int(path.stem.rsplit("-", 1)[1]), []).append(path)
    whole = [paths for count, paths in sets.items() if len(paths) == count]
    if not whole:
        raise AvfError(f"{folder}: no complete set of shards. Run `snakemake all` to make them.")
    newest = max(whole, key=lambda paths: max(p.stat().st_mtime for p in paths))
    table = pd.concat([read_table(path) for path in newest], ignore_index=True)
    table = table.sort_values("video", ignore_index=True)
    if len(table) and not (table["status"] == "ok").any():
        raise AvfError(f"{folder}: all {len(table)} videos failed. The first: {table['reason'][0]}")
    write_table(table, folder / "index.parquet")
    return table
