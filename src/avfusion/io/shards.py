"""Split videos into shards by row number; each job writes one shard table, joined at the end."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.errors import AvfError, DamagedError
from avfusion.io.atomic import locked, replacing


def deal(manifest: pd.DataFrame, shard: tuple[int, int]) -> pd.DataFrame:
    """Return the rows of shard (i, n): every n-th, beginning with the i-th."""
    index, count = shard
    return manifest.iloc[index::count]


def shard_path(folder: Path, shard: tuple[int, int]) -> Path:
    """Return the path of the table of shard (i, n) in a media or feature folder."""
    return folder / f"shard-{shard[0]}-of-{shard[1]}.parquet"


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet atomically, with a checksum on each page."""
    with replacing(path) as half:
        table.to_parquet(half, index=False, write_page_checksum=True)


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """Read Parquet; `options` are those of pandas.read_parquet.

    Raises
    ------
    DamagedError
        If the file is damaged.
    """
    try:
        return pd.read_parquet(path, page_checksum_verification=True, **options)
    except FileNotFoundError:
        raise
    except Exception as error:  # also of metadata that is not pandas'
        raise DamagedError(
            f"{path}: damaged ({type(error).__name__}: {error}). Run `rm '{path}'`, then "
            f"`snakemake all`, which makes it again."
        ) from None


def claimed(folder: Path, shard: tuple[int, int]) -> AbstractContextManager[None]:
    """Lock a shard for one process; raise AvfError while another one writes it."""
    return locked(folder, shard_path(folder, shard).stem)


def join(folder: Path, count: int | None = None) -> pd.DataFrame:
    """Join shard tables into index.parquet, sorted by video.

    Parameters
    ----------
    folder
        Folder of the shard tables.
    count
        Number of shards; by default there must be one complete set, or several equal ones.

    Returns
    -------
    DataFrame
        The joined table.

    Raises
    ------
    AvfError
        If there is no complete set, sets differ, the shards are of different lists of videos, or
        all videos failed.
    """
    sets = _sets(folder)
    complete = {n: paths for n, paths in sets.items() if len(paths) == n and count in (None, n)}
    if not complete:
        raise AvfError(f"{folder}: {_lacking(sets, count)} Run `snakemake all` to make them.")
    tables = {n: _joined(folder, paths) for n, paths in complete.items()}
    table = tables[max(tables)]
    if not all(other.equals(table) for other in tables.values()):
        sizes = " and ".join(f"of {n}" for n in sorted(tables))
        raise AvfError(
            f"{folder}: the complete sets of shards {sizes} differ; one is outdated. Choose one: "
            f"`avf index {folder} --shards {max(tables)}`, or remove the other: "
            f"`rm {folder}/shard-*-of-{min(tables)}.parquet`."
        )
    if len(table) and not (table["status"] == "ok").any():
        raise AvfError(f"{folder}: all {len(table)} videos failed. The first: {table['reason'][0]}")
    write_table(table, folder / "index.parquet")
    return table


def _sets(folder: Path) -> dict[int, list[Path]]:
    """Return number of shards -> the shard tables of that set, in order."""
    sets: dict[int, list[Path]] = {}
    for path in folder.glob("shard-*-of-*.parquet"):
        sets.setdefault(_numbers(path)[1], []).append(path)
    return {n: sorted(paths, key=_numbers) for n, paths in sets.items()}


def _numbers(path: Path) -> tuple[int, int]:
    index, count = path.stem.removeprefix("shard-").split("-of-")
    return int(index), int(count)


def _lacking(sets: dict[int, list[Path]], count: int | None) -> str:
    listed = ", ".join(f"{len(paths)} of {n}" for n, paths in sorted(sets.items())) or "none"
    problem = "no complete set of shards" if count is None else f"not all of {count} shards"
    return f"{problem}; there are {listed}."


def _joined(folder: Path, paths: list[Path]) -> pd.DataFrame:
    """Join one set; raise AvfError if its shards cannot be of one list of videos."""
    parts = [read_table(path) for path in paths]
    table = pd.concat(parts, ignore_index=True).sort_values("video", ignore_index=True)
    dealt = [len(range(number, len(table), len(parts))) for number in range(len(parts))]
    twice = table.loc[table["video"].duplicated(), "video"]
    if len(twice) or [len(part) for part in parts] != dealt:
        what = f"{twice.iloc[0]} is in two of them" if len(twice) else "their sizes do not match"
        raise AvfError(
            f"{folder}: its {len(parts)} shards are of different lists of videos ({what}). Remove "
            f"them: `rm {folder}/shard-*-of-{len(parts)}.parquet`, and run `snakemake all`; videos "
            f"that were read or encoded are kept."
        )
    return table
