"""Read a table of predicted frames into the sums that scores and comparisons are computed from."""

from typing import Any, cast

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.errors import AvfError
from avfusion.evaluation import units
from avfusion.evaluation.scored import Scored
from avfusion.metrics.sums import video_sums
from avfusion.protocols.protocol import Protocol

NEEDED = ("fusion", "video", "predicted", "gold")
OPTIONAL = {"seed": 0, "target": "score", "fit": 0}
"""Column -> its value in a table without it."""
Key = tuple[str, int, str, str]
"""Fusion, seed, target and video."""
Sums = dict[Key, np.ndarray]
RUN, PLACE = ["fusion", "seed"], ["target", "video"]


def read_frames(table: pd.DataFrame, pooling: str, statistics: StatisticsSettings) -> Scored:
    """Check a table of frames and compute its sums.

    Parameters
    ----------
    table
        See `avfusion.stats`.
    pooling
        `pooled` or `per_video_mean`.
    statistics
        Settings with the unit.

    Returns
    -------
    Scored
        All runs, on the same videos.

    Raises
    ------
    AvfError
        If a column is missing, frames are repeated or not predicted, or runs differ in their
        videos or gold.
    """
    frames = _complete(table)
    targets = tuple(map(str, dict.fromkeys(frames["target"])))
    videos = sorted(set(frames["video"]))
    rows: Sums = {
        cast(Key, key): video_sums(*of_video[["predicted", "gold"]].to_numpy(float).T)
        for key, of_video in frames.groupby([*RUN, *PLACE])
    }
    runs = sorted({key[:2] for key in rows})
    sums: dict[str, dict[int, np.ndarray]] = {}
    for fusion, seed in runs:
        cells = [[_cell(rows, (fusion, seed, t, v)) for v in videos] for t in targets]
        sums.setdefault(fusion, {})[seed] = np.array(cells)  # (K, V, 6)
    _refuse_other_gold(sums, targets, videos)
    subjects = _of_each(frames, "video", "subject") if "subject" in frames else {}
    names = tuple(str(subjects.get(video, f"{video} alone")) for video in videos)
    return Scored(
        corpus="table",
        rule=Protocol.model_validate({"name": pooling, "description": "", "pooling": pooling}),
        partition="table",
        videos=videos,
        missing=[],
        missing_in_training=[],
        notes={},
        sums=sums,
        names=targets,
        subjects=names,
        unit=units.numbers(names, statistics),
        fits={int(seed): int(fit) for seed, fit in _of_each(frames, "seed", "fit").items()},
    )


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with all columns, after checks of single frames."""
    absent = [name for name in NEEDED if name not in table]
    if absent:
        raise AvfError(
            f"The table has no column {absent[0]!r}. It has: {', '.join(map(str, table))}. Needed: "
            f"{', '.join(NEEDED)}."
        )
    given = {name: value for name, value in OPTIONAL.items() if name not in table}
    frames = table.assign(**given).astype({"fusion": str, "video": str, "target": str})
    keys = [*RUN, *PLACE, *(["time_s"] if "time_s" in frames else [])]
    blank = [name for name in [*keys, "fit"] if frames[name].isna().any()]
    if blank or not len(frames):
        raise AvfError(
            f"The table has rows without {blank[0]!r}. Fill or remove them."
            if blank
            else "The table has no rows."
        )
    lost = frames[frames["predicted"].isna() & frames["gold"].notna()]
    if len(lost):
        raise AvfError(
            f"{len(lost)} frames are rated and have no prediction, first in {_place(lost)}. "
            f"Predict them, or set their gold to NaN for every fusion."
        )
    twice = frames[frames.duplicated(keys)] if "time_s" in frames else frames[:0]
    if len(twice):
        raise AvfError(
            f"{len(twice)} frames occur twice, first in {_place(twice)}. Remove the copies, or add "
            f"the columns `seed` and `target` that distinguish them."
        )
    return frames


def _place(rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    return f"video {row['video']} of {row['fusion']} seed {row['seed']}, {row['target']}"


def _cell(rows: Sums, key: Key) -> np.ndarray:
    if key not in rows:
        fusion, seed, target, video = key
        raise AvfError(
            f"{fusion} seed {seed} has no rows of video {video}, {target}, which other rows have. "
            f"Add them, or remove the video from all fusions."
        )
    return rows[key]


def _refuse_other_gold(
    sums: dict[str, dict[int, np.ndarray]], targets: tuple[str, ...], videos: list[str]
) -> None:
    """Raise AvfError if two runs do not have the same rated frames."""
    runs = [
        (fusion, seed, each) for fusion, by_seed in sums.items() for seed, each in by_seed.items()
    ]
    fusion, seed, first = runs[0]
    gold = [0, 2, 4]  # count, sum and squares of the gold
    for other, number, each in runs[1:]:
        same = np.isclose(each[..., gold], first[..., gold], rtol=1e-6, atol=1e-9).all(axis=-1)
        if not same.all():
            k, v = np.argwhere(~same)[0]
            raise AvfError(
                f"The gold of video {videos[v]}, {targets[k]}, differs between {fusion} seed "
                f"{seed} ({int(first[k, v, 0])} rated frames) and {other} seed {number} "
                f"({int(each[k, v, 0])}). Give all fusions the same rated frames."
            )


def _of_each(frames: pd.DataFrame, key: str, column: str) -> dict[Any, Any]:
    """Return key -> its only value in a column."""
    pairs = frames[[key, column]].drop_duplicates()
    twice = pairs[pairs[key].duplicated()]
    if len(twice):
        raise AvfError(
            f"{key} {twice[key].iloc[0]} has several values of `{column}`. Give it one in all rows."
        )
    return dict(zip(pairs[key], pairs[column], strict=True))
