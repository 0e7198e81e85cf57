"""Read the ratings of a partition on the grid of the features."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from avfusion.errors import TrainError
from avfusion.features.gold import targets
from avfusion.io.shards import read_table
from avfusion.rating import Rating


def read_gold(
    path: Path,
    times_s: Mapping[str, np.ndarray],
    rating: Rating,
    late_s: Mapping[str, float],
    partition: str,
) -> dict[str, np.ndarray]:
    """Return video -> ratings (R, K) in [-1, 1], corrected for the delay; NaN where unrated.

    Parameters
    ----------
    path
        gold.parquet of a corpus, in a folder with the name of the corpus.
    times_s
        Video -> clip ends (R,) of its grid.
    rating
        Targets and their scale.
    late_s
        Target -> annotation delay in seconds.
    partition
        Its name, for the message.

    Raises
    ------
    TrainError
        If a target is not rated in any of the videos.
    """
    names = list(rating.names)
    table = read_table(path, filters=[("video", "in", list(times_s))])
    rated = dict(list(table.groupby("video")))
    golds = {}
    for video, ends_s in times_s.items():
        rows = rated.get(video, table.iloc[:0]).sort_values("time_s")
        ratings = rating.inward(rows[names].to_numpy(float))
        golds[video] = targets(ends_s, rows["time_s"].to_numpy(), ratings, dict(late_s))
    rated_in = np.any([np.isfinite(g).any(axis=0) for g in golds.values()], axis=0)  # (K,)
    lost = [name for name, some in zip(names, rated_in, strict=True) if not some]
    if lost:
        of = f" of {', '.join(lost)}" if rated_in.any() else ""
        raise TrainError(
            f"{path}: no rating{of} for any of {len(golds)} {partition} videos. Correct the "
            f"ratings or the split, then run `avf verify {path.parent.name}`."
        )
    return golds
