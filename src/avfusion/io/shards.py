"""Videos are dealt out to jobs by row number; each writes a shard table, joined at the end."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from avfusion.errors import AvfError, DamagedError
from avfusion.io.atomic import alone, replacing


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


def claimed(folder: Path, shard: tuple[int, int]) -> AbstractContextManager[None]:
    """A block in which no other process writes this shard; refused while one does."""
    return alone(folder, shard_path(folder, shard).stem)


def join(folder: Path, count: int | None = None) -> pd.DataFrame:
    """Join the shards, `count` of them, into index.parquet, sorted by video.

    Without a count there must be one complete set, or several that say the same. Refuses shards
    that were dealt from different lists of videos, and a table in which every video failed.
    """
    sets = _sets(folder)
    whole = {n: paths for n, paths in sets.items() if len(paths) == n and count in (None, n)}
    if not whole:
        raise AvfError(f"{folder}: {_lacking(sets, count)} Run `snakemake all` to make them.")
    tables = {n: _joined(folder, paths) for n, paths in whole.items()}
    table = tables[max(tables)]
    if not all(other.equals(table) for other in tables.values()):
        said = " and ".join(f"of {n}" for n in sorted(tables))
        raise AvfError(
            f"{folder}: complete sets of shards {said} say different things; one is stale. Name "
            f"the one you mean: `avf index {folder} --shards {max(tables)}`, or remove the other: "
            f"`rm {folder}/shard-*-of-{min(tables)}.parquet`."
        )
    if len(table) and not (table["status"] == "ok").any():
        raise AvfError(f"{folder}: all {len(table)} videos failed. The first: {table['reason'][0]}")
    write_table(table, folder / "index.parquet")
    return table


def _sets(folder: Path) -> dict[int, list[Path]]:
    """Shard tables by the number of shards they are of; each list in the order of shards."""
    sets: dict[int, list[Path]] = {}
    for path in folder.glob("shard-*-of-*.parquet"):
        sets.setdefault(_numbers(path)[1], []).append(path)
    return {n: sorted(paths, key=_numbers) for n, paths in sets.items()}


def _numbers(path: Path) -> tuple[int, int]:
    index, count = path.stem.removeprefix("shard-").split("-of-")
    return int(index), int(count)


def _lacking(sets: dict[int, list[Path]], count: int | None) -> str:
    found = ", ".join(f"{len(paths)} of {n}" for n, paths in sorted(sets.items())) or "none"
    asked = "no complete set of shards" if count is None else f"not all of {count} shards"
    return f"{asked}; there are {found}."


def _joined(folder: Path, paths: list[Path]) -> pd.DataFrame:
    """One set's table; refuses parts that one list of videos cannot have been dealt to."""
    parts = [read_table(path) for path in paths]
    table = pd.concat(parts, ignore_index=True).sort_values("video", ignore_index=True)
    dealt = [len(range(number, len(table), len(parts))) for number in range(len(parts))]
    twice = table.loc[table["video"].duplicated(), "video"]
    if len(twice) or [len(part) for part in parts] != dealt:
        what = f"{twice.iloc[0]} is in two of them" if len(twice) else "their sizes do not fit"
        raise AvfError(
            f"{folder}: its {len(parts)} shards are of different lists of videos ({what}). Remove "
            f"them: `rm {folder}/shard-*-of-{len(parts)}.parquet`, and run `snakemake all`: what "
            f"was read or encoded is kept."
        )
    return table
