"""Find files of features that were removed, so that the workflow plans their job again."""

from pathlib import Path

import pyarrow.parquet as pq

from avfusion.io.atomic import write_text
from avfusion.io.shards import shard_path


def lost(folder: Path, shard: tuple[int, int]) -> list[str]:
    """Return the videos of a shard whose features are listed, but no longer on disk.

    Parameters
    ----------
    folder
        Folder of the features of a corpus and encoder.
    shard
        (i, n); a shard that was not encoded yet has lost nothing.
    """
    path = shard_path(folder, shard)
    if not path.is_file():
        return []
    try:
        table = pq.read_table(path, columns=["video", "status"]).to_pydict()
    except (OSError, ValueError):  # damaged; the job that reads it says so
        return []
    here = {entry.name for entry in folder.iterdir()}
    listed = zip(table["video"], table["status"], strict=True)
    videos = [video for video, status in listed if status == "ok"]
    return [v for v in videos if not {f"{v}.npy", f"{v}.times.npy"} <= here]


def losses(folder: Path, shard: tuple[int, int], count: bool) -> str:
    """Return how often features of a shard were found lost; "" if never.

    The number is a parameter of the job that encodes the shard. It does not change when the job has
    run, so the job runs once per loss.

    Parameters
    ----------
    folder, shard
        As in `lost`.
    count
        Whether to look, and to count a loss.
    """
    path = folder / f".lost-{shard[0]}-of-{shard[1]}"
    before = path.read_text(encoding="ascii").strip() if path.is_file() else ""
    if not (count and lost(folder, shard)):
        return before
    now = str(int(before or 0) + 1)
    write_text(path, f"{now}\n")
    return now
