"""References: predictions that need no training, made of those of the single modalities.

| name | prediction of a target |
|---|---|
| `average` | mean of the single modalities |
| `best_single` | the single modality with the highest CCC on validation |
| `stack` | least-squares combination of the single modalities, fitted on validation |
| `oracle` | `stack` with weights of its own where the corpus says that a modality is spoilt |

A fusion that does not beat `average` and `stack` has learnt nothing about how modalities work
together. `oracle` exists where the truth is known; oracle - stack is what a gate that reads the
quality of its input could gain.

Shapes: R rows of a trace, M single modalities, K targets.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from avfusion.features.gold import targets
from avfusion.metrics.sums import pooled_ccc, video_sums
from avfusion.rating import Rating

LEAST_ROWS = 50
"""Rated validation rows below which a state has no weights of its own."""

Traces = Mapping[str, Mapping[str, np.ndarray]]
"""Video -> its trace: `time_s` and the targets, (R,) each, sorted by time."""


@dataclass(frozen=True)
class Known:
    """What references are made with, besides predictions.

    Attributes
    ----------
    partition
        Partition of each video.
    gold
        Gold of each rated video, sorted by time.
    delay_s
        Annotation delay of each target.
    rating
        Targets and their scale.
    truth
        Planted spans, `video, start_s, end_s, modality`; empty if the corpus has none.
    clip_s
        Length of a clip; a row is spoilt if the middle of its clip is in a span.
    """

    partition: Mapping[str, str]
    gold: Mapping[str, pd.DataFrame]
    delay_s: Mapping[str, float]
    rating: Rating
    truth: pd.DataFrame
    clip_s: float


def references(singles: Mapping[str, Traces], known: Known) -> dict[str, Traces]:
    """Make the references of one seed.

    Parameters
    ----------
    singles
        Modality -> traces of the run that reads only it.
    known
        Gold, partitions and truth.

    Returns
    -------
    dict
        Name -> video -> trace, for the videos that all single modalities predict; empty with fewer
        than two modalities or without rated validation rows.
    """
    videos = _common(list(singles.values()))
    if len(singles) < 2 or not videos:
        return {}
    names = list(known.rating.names)
    given = {
        v: np.stack(
            [
                known.rating.inward(np.stack([one[v][n] for n in names], axis=1).astype(float))
                for one in singles.values()
            ],
            axis=1,
        )
        for v in videos
    }  # (R, M, K)
    times = {v: np.asarray(next(iter(singles.values()))[v]["time_s"], float) for v in videos}
    fitted = [v for v in videos if known.partition[v] == "validation" and v in known.gold]
    gold = {v: _gold(times[v], v, known) for v in fitted}
    if not any(np.isfinite(one).any() for one in gold.values()):
        return {}
    spans = _spans(known.truth)
    state = {v: _state(spans.get(v, {}), times[v], list(singles), known.clip_s) for v in videos}
    x = np.concatenate([given[v] for v in fitted])  # (N, M, K)
    y = np.concatenate([gold[v] for v in fitted])  # (N, K)
    of = np.concatenate([state[v] for v in fitted])  # (N,)
    blind = _weights(x, y)  # (M + 1, K)
    best = _best(x, y)  # (K,)
    made = {
        "average": {v: given[v].mean(axis=1) for v in videos},
        "best_single": {v: given[v][:, best, np.arange(len(names))] for v in videos},
        "stack": {v: _applied(given[v], blind) for v in videos},
    }
    if of.any():
        aware = {int(s): _weights_of(x, y, of == s, blind) for s in np.unique([*of, 0])}
        made["oracle"] = {
            v: np.select(
                [(state[v] == s)[:, None] for s in aware],
                [_applied(given[v], weight) for weight in aware.values()],
                _applied(given[v], blind),
            )
            for v in videos
        }
    return {
        name: {v: _trace(times[v], rows[v], known.rating) for v in videos}
        for name, rows in made.items()
    }


def _common(singles: list[Traces]) -> list[str]:
    """Return the videos that all traces have at the same times."""
    if not singles:
        return []
    first, *others = singles
    return [
        video
        for video, trace in first.items()
        if all(video in o and np.array_equal(o[video]["time_s"], trace["time_s"]) for o in others)
    ]


def _gold(time_s: np.ndarray, video: str, known: Known) -> np.ndarray:
    """Return the gold at the rows of a trace, (R, K) in [-1, 1]; NaN = unrated."""
    names, rows = list(known.rating.names), known.gold[video]
    ratings = known.rating.inward(rows[names].to_numpy(float))
    late_s = {name: known.delay_s.get(name, 0.0) for name in names}
    return targets(time_s, rows["time_s"].to_numpy(float), ratings, late_s).astype(float)


def _spans(truth: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """Return video -> modality -> planted spans (S, 2), in seconds."""
    spans: dict[str, dict[str, np.ndarray]] = {}
    if len(truth):
        for (video, modality), rows in truth.groupby(["video", "modality"]):
            spans.setdefault(video, {})[modality] = rows[["start_s", "end_s"]].to_numpy(float)
    return spans


def _state(
    spans: Mapping[str, np.ndarray], time_s: np.ndarray, modalities: list[str], clip_s: float
) -> np.ndarray:
    """Return which modalities are spoilt in each row (R,), as the sum of 2 ** place."""
    state = np.zeros(len(time_s), int)
    middle = time_s - clip_s / 2
    for place, modality in enumerate(modalities):
        inside = np.zeros(len(time_s), bool)
        for start_s, end_s in spans.get(modality, ()):
            inside |= (middle >= start_s) & (middle < end_s)
        state += inside * 2**place
    return state


def _weights(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the least-squares weights and, last, the constant of each target, (M + 1, K)."""
    columns = []
    for k in range(y.shape[1]):
        rated = np.isfinite(y[:, k])
        table = np.column_stack([x[rated, :, k], np.ones(rated.sum())])
        columns.append(np.linalg.lstsq(table, y[rated, k], rcond=None)[0])
    return np.stack(columns, axis=1)


def _weights_of(x: np.ndarray, y: np.ndarray, rows: np.ndarray, blind: np.ndarray) -> np.ndarray:
    """Return the weights of the rows of one state; those of all rows if they are few."""
    rated = np.isfinite(y[rows]).all(axis=1).sum()
    return _weights(x[rows], y[rows]) if rated >= LEAST_ROWS else blind


def _best(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the place of the modality with the highest CCC of each target, (K,)."""
    score = np.array(
        [
            [pooled_ccc(video_sums(x[:, m, k], y[:, k])) for k in range(y.shape[1])]
            for m in range(x.shape[1])
        ]
    )
    return np.nan_to_num(score, nan=-1.0).argmax(axis=0)


def _applied(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the combination (R, K) of predictions (R, M, K)."""
    combined: np.ndarray = np.einsum("rmk,mk->rk", x, weights[:-1]) + weights[-1]
    return combined


def _trace(time_s: np.ndarray, rows: np.ndarray, rating: Rating) -> dict[str, np.ndarray]:
    return {"time_s": time_s, **dict(zip(rating.names, rating.outward(rows).T, strict=True))}
