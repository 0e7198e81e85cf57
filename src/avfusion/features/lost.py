"""Find files of features that were removed, so that the workflow plans their job again."""

from collections.abc import Collection
from pathlib import Path

import pyarrow.parquet as pq

from avfusion.io.shards import shard_path


def lost(folder: Path, shard: tuple[int, int], present: Collection[str]) -> list[str]:
    """Return the videos of a shard whose features are listed, but no longer on disk.

    Parameters
    ----------
    folder
        Folder of the features of a corpus and encoder.
    shard
        (i, n); a shard that was not encoded yet has lost nothing.
    present
        Names of the files in the folder; the shards share one listing.
    """
    path = shard_path(folder, shard)
    if not path.is_file():
        return []
    try:
        table = pq.read_table(path, columns=["video", "status"]).to_pydict()
    except (OSError, ValueError):  # damaged; the job that reads it says so
        return []
    names = frozenset(present)
    listed = zip(table["video"], table["status"], strict=True)
    videos = [video for video, status in listed if status == "ok"]
    return [v for v in videos if not {f"{v}.npy", f"{v}.times.npy"} <= names]


def losses_file(folder: Path, shard: tuple[int, int]) -> Path:
    """Return the file that counts how often features of a shard were found lost.

    The count is a parameter of the job that encodes the shard. It does not change when the job has
    run, so the job runs once per loss.
    """
    return folder / f".lost-{shard[0]}-of-{shard[1]}"
