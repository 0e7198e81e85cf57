"""Measure whether gate weights respond to corrupted input.

A gate that detects a corrupted modality gives its clips other weights than clean ones. The area
under the ROC curve (AUROC) of its weight is the probability that a clip in a planted span has a
larger weight than a clean one (Mann and Whitney, Ann. Math. Stat. 1947). 0.5 is no response; values
below and above 0.5 are responses. Clips are compared within a video, because a weight also differs
between people, and for each training, because trainings may answer in opposite directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation import crossed, inference
from avfusion.evaluation.components import Parts
from avfusion.evaluation.crossed import Sample
from avfusion.evaluation.samples import balanced

KINDS = ("gate_", "high_")
"""Prefixes of the maps of gates: of the first level, and of the second level (HGRJCA)."""


def words(gate: str) -> str:
    """Return the printed name of a gate.

    >>> words("gate_audio"), words("high_video_2")
    ('audio', 'video 2, second level')
    """
    level, _, name = gate.partition("_")
    return name.replace("_", " ") + (", second level" if level == "high" else "")


@dataclass(frozen=True)
class Response:
    """Response of a gate to one kind of span: AUROC with its interval over people and trainings.

    Attributes
    ----------
    auroc, low, high
        AUROC, the mean over equally many trainings of each encoder fit, and the ends of its
        interval; NaN without clips of both kinds in one video, or if a weight is NaN.
    each
        AUROC of each training, (S,).
    videos
        Number of videos with clips in a span and clean clips.
    clips, clean
        Numbers of clips in spans, and of clean clips, in these videos.
    """

    auroc: float
    low: float
    high: float
    each: tuple[float, ...]
    videos: int
    clips: int
    clean: int


def mark(rows: pd.DataFrame, spans: pd.DataFrame, clip_s: float) -> np.ndarray:
    """Find the span that contains more than half of each clip.

    Parameters
    ----------
    rows
        `video, time_s` (clip ends), R rows.
    spans
        `video, start_s, end_s`, numbered by place.
    clip_s
        Length of a clip in seconds.

    Returns
    -------
    ndarray of shape (R,)
        Number of the span; -1 if the clip overlaps no span, -2 if it overlaps spans but none by
        more than half.
    """
    marked, end = np.full(len(rows), -1), rows["time_s"].to_numpy(float)
    place = rows.groupby("video", sort=False).indices
    columns = (spans[name] for name in ("video", "start_s", "end_s"))
    for number, (name, start_s, end_s) in enumerate(zip(*columns, strict=True)):
        here = place.get(name, np.empty(0, int))
        inside = np.minimum(end[here], end_s) - np.maximum(end[here] - clip_s, start_s)
        overlaps, most = inside > 1e-9, inside > clip_s / 2 + 1e-9
        marked[here[overlaps & (marked[here] == -1)]] = -2
        marked[here[most]] = number
    return marked


def respond(
    weights: np.ndarray,
    hit: np.ndarray,
    clean: np.ndarray,
    video: np.ndarray,
    statistics: StatisticsSettings,
    unit: np.ndarray | None = None,
    fits: Sequence[int] = (),
) -> Response:
    """Return the AUROC of gate weights for corrupted against clean rows of the same video.

    A video counts by its unit: the AUROC is the mean over units of the mean over their videos.

    Parameters
    ----------
    weights
        Gate weights of each training, (S, R).
    hit, clean
        Which rows are in a span and which are clean, (R,) bool.
    video
        Video of each row, (R,).
    statistics
        Draws, seed and alpha.
    unit
        Unit of each row, (R,); by default its video.
    fits
        Encoder fit of each training, (S,); by default one.
    """
    names, code = np.unique(video, return_inverse=True)
    clips, others = (np.bincount(code[rows], minlength=len(names)) for rows in (hit, clean))
    both = (clips > 0) & (others > 0)
    sizes = {
        "videos": int(both.sum()),
        "clips": int(clips[both].sum()),
        "clean": int(others[both].sum()),
    }
    if not both.any():
        return Response(np.nan, np.nan, np.nan, (np.nan,) * len(weights), **sizes)
    rows = np.flatnonzero((hit | clean) & both[code])
    _, number, at = np.unique(code[rows], return_index=True, return_inverse=True)
    each = np.stack([_aurocs(run[rows], hit[rows], at) for run in weights])  # (S, V)
    owners = (code if unit is None else unit)[rows[number]]
    units = np.stack([each[:, owners == name].mean(axis=1) for name in np.unique(owners)], axis=1)
    grid = balanced(range(len(weights)), dict(enumerate(fits)))
    table = np.stack([units[list(places)] for places in grid])[:, :, None]  # (E, S, 1, U)
    count = units.shape[1]
    sample = Sample(
        Parts(table.mean(axis=-1), table),
        (_draws(count, statistics.draws, statistics.seed) @ table.mean(axis=(0, 1))[0])[None]
        / count,
        np.array([float(count)]),
    )
    estimate = crossed.score(sample, statistics.alpha, statistics.seed)
    low, high = np.clip([estimate.low[0], estimate.high[0]], 0.0, 1.0)
    scores = tuple(float(x) for x in units.mean(axis=1))
    return Response(float(estimate.value[0]), float(low), float(high), scores, **sizes)


@lru_cache(maxsize=16)
def _draws(count: int, draws: int, seed: int) -> np.ndarray:
    """Return draws of units (N, U), as small integers because all gates share those of a count."""
    drawn = inference.draw(count, draws, seed)
    return drawn.astype(np.min_scalar_type(int(drawn.max())))


def _aurocs(weights: np.ndarray, hit: np.ndarray, video: np.ndarray) -> np.ndarray:
    """Return the AUROC of each video, (V,); ties count half.

    Parameters
    ----------
    weights, hit
        Weight of each row, and whether it is in a span, (R,).
    video
        Number of the video of each row, (R,); each of the V videos has rows of both kinds.
    """
    order = np.lexsort((weights, video))
    at, value = video[order], weights[order]
    begins = np.append(True, (at[1:] != at[:-1]) | (value[1:] != value[:-1]))  # of equal weights
    start = np.flatnonzero(begins)
    end = np.append(start[1:], len(order))
    first = np.searchsorted(at, at[start])  # row of the lowest rank of the video
    rank = np.repeat((start + end + 1) / 2 - first, end - start)
    is_hit = hit[order]
    hits, count = np.bincount(at[is_hit]), np.bincount(at)
    area: np.ndarray = np.bincount(at[is_hit], rank[is_hit]) - hits * (hits + 1) / 2
    unknown = np.bincount(video, np.isnan(weights)) > 0
    return np.where(unknown, np.nan, area / (hits * (count - hits)))
