"""Measure whether gate weights respond to corrupted input.

A gate that detects a corrupted modality gives its clips other weights than clean ones. The area
under the ROC curve (AUROC) of its weight is the probability that a clip in a planted span has a
larger weight than a clean one (Mann and Whitney, Ann. Math. Stat. 1947). 0.5 is no response; values
below and above 0.5 are responses. Clips are compared within a video, because a weight also differs
between people, and for each training, because trainings may answer in opposite directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

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
        Mean AUROC and the ends of its interval; NaN without clips of both kinds in one video.
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
    marked = np.full(len(rows), -1)
    video, end = rows["video"].to_numpy(), rows["time_s"].to_numpy(float)
    columns = (spans[name] for name in ("video", "start_s", "end_s"))
    for number, (name, start_s, end_s) in enumerate(zip(*columns, strict=True)):
        inside = np.minimum(end, end_s) - np.maximum(end - clip_s, start_s)
        here = video == name
        marked[here & (inside > 1e-9) & (marked == -1)] = -2
        marked[here & (inside > clip_s / 2 + 1e-9)] = number
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
    owner = video if unit is None else unit
    names = [name for name in np.unique(video) if hit[video == name].any()]
    names = [name for name in names if clean[video == name].any()]
    rows = [(video == name) & (hit | clean) for name in names]
    sizes = {
        "videos": len(names),
        "clips": int(sum(hit[one].sum() for one in rows)),
        "clean": int(sum(clean[one].sum() for one in rows)),
    }
    if not names:
        return Response(np.nan, np.nan, np.nan, (np.nan,) * len(weights), **sizes)
    each = np.stack([_auroc(weights[:, one], hit[one]) for one in rows], axis=1)  # (S, V)
    owners = np.array([owner[one][0] for one in rows])
    units = np.stack([each[:, owners == name].mean(axis=1) for name in np.unique(owners)], axis=1)
    grid = balanced(range(len(weights)), dict(enumerate(fits)))
    table = np.stack([units[list(places)] for places in grid])[:, :, None]  # (E, S, 1, U)
    count = units.shape[1]
    drawn = inference.draw(count, statistics.draws, statistics.seed)
    sample = Sample(
        Parts(table.mean(axis=-1), table),
        (drawn @ units.mean(axis=0))[None] / count,
        np.array([float(count)]),
    )
    estimate = crossed.score(sample, statistics.alpha, statistics.seed)
    low, high = np.clip([estimate.low[0], estimate.high[0]], 0.0, 1.0)
    scores = tuple(float(x) for x in units.mean(axis=1))
    return Response(float(np.mean(scores)), float(low), float(high), scores, **sizes)


def _auroc(weights: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Return the AUROC (S,) of weights (S, r) for the rows that are hit; ties count half."""
    hits, others = hit.sum(), (~hit).sum()
    ranks = rankdata(weights, axis=1)[:, hit].sum(axis=1)
    area: np.ndarray = (ranks - hits * (hits + 1) / 2) / (hits * others)
    return area
