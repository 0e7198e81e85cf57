"""Measure whether gate weights respond to corrupted input.

A gate that detects a corrupted modality gives its clips other weights than clean ones. The area
under the ROC curve (AUROC) of its weight is the probability that a clip in a planted span has a
larger weight than a clean one (Mann and Whitney, Ann. Math. Stat. 1947). 0.5 is no response; values
below and above 0.5 are responses. Videos are resampled, or subjects if the study asks for them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation import inference

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
    """Response of a gate to one kind of span: AUROC with its interval over units.

    Attributes
    ----------
    auroc, low, high
        AUROC and the ends of its interval; NaN without clips of both kinds.
    videos
        Number of videos with a clip in a span.
    clips, clean
        Numbers of clips in spans, and of clean clips.
    """

    auroc: float
    low: float
    high: float
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
) -> Response:
    """Return the AUROC of gate weights for corrupted against clean rows.

    Only units with such rows are drawn; a draw without corrupted or without clean rows is left out.

    Parameters
    ----------
    weights
        Gate weights of each seed, (S, R); the AUROC is averaged over seeds.
    hit, clean
        Which rows are in a span and which are clean, (R,) bool.
    video
        Video of each row, (R,).
    statistics
        Draws, seed and alpha.
    unit
        Unit of each row, (R,); by default its video.
    """
    use, owner = hit | clean, video if unit is None else unit
    names = np.unique(owner[use])
    count = len(names)
    rows = [(hit & (owner == v), clean & (owner == v)) for v in names]
    n = np.array([(h.sum(), c.sum()) for h, c in rows]).reshape(-1, 2)  # (U, 2)
    with_hit = int((n[:, 0] > 0).sum())
    sizes = {
        "videos": len(np.unique(video[hit])),
        "clips": int(n[:, 0].sum()),
        "clean": int(n[:, 1].sum()),
    }
    if not sizes["clips"] or not sizes["clean"]:
        return Response(np.nan, np.nan, np.nan, **sizes)
    wins = np.mean([_wins(weight, rows) for weight in weights], axis=0)  # (U, U)
    drawn = inference.draw(count, statistics.draws, statistics.seed)
    draws = np.vstack([np.ones(count), drawn])
    pairs = (draws @ n[:, 0]) * (draws @ n[:, 1])  # (1 + N,)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = ((draws @ wins) * draws).sum(axis=1) / pairs
    low, high = inference.interval(values[1:][pairs[1:] > 0], with_hit, statistics.alpha)
    return Response(float(values[0]), max(float(low), 0.0), min(float(high), 1.0), **sizes)


def _wins(weight: np.ndarray, rows: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Count how often a hit of unit i outweighs a clean row of unit j (U, U); ties count half."""
    clean = [np.sort(weight[c]) for _, c in rows]
    table = np.zeros((len(rows), len(rows)))
    for i, (hit, _) in enumerate(rows):
        for j, ordered in enumerate(clean):
            below = np.searchsorted(ordered, weight[hit], side="left")
            table[i, j] = (below + np.searchsorted(ordered, weight[hit], side="right")).sum() / 2
    return table
