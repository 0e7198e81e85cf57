"""Estimate the annotation delay of a corpus on its training partition.

Source   The grid search of the AVEC challenges (Valstar et al., arXiv:1605.01600; Ringeval et al.,
         AVEC 2018) in a cheap form. For each target and delay d, a linear map of the cached
         features X to gold(t + d) is fitted in closed form and scored on the recording left out,

             w_v = (sum_{u != v} X_u^T X_u + ridge R I)^-1 sum_{u != v} X_u^T y_u(d)
             score(d) = CCC of all X_v w_v with all y_v(d), population moments.

Departs  Features are standardised over the training partition; a missing modality counts as its
         mean. All delays are scored on the same clips, those rated at every delay, because a long
         delay would otherwise be scored on fewer clips than a short one. R is the number of clips.

A row of features describes the clip_s before its time. The estimated delay is therefore shorter
than the raters' delay by about half a clip. It is the value that the study should use.
"""

import functools

import numpy as np
import pandas as pd

from avfusion.config.jobs import DelaySettings
from avfusion.errors import AvfError, ConfigError
from avfusion.evaluation.delay_limits import STATE, rated_s, read_rating, refuse_short
from avfusion.features.arrange import off_baseline
from avfusion.features.gold import targets
from avfusion.io.atomic import write_text
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import pooled_ccc
from avfusion.rating import Rating
from avfusion.runs.inputs import Inputs

Recording = tuple[np.ndarray, np.ndarray]
"""Features (R, D) and gold (R, K, N) at N delays."""


def search(
    corpus: str, settings: DelaySettings, layout: Layout, grid_s: np.ndarray
) -> pd.DataFrame:
    """Score every delay and write delays/<corpus>.csv.

    Only gold and features of the training partition are read.

    Parameters
    ----------
    corpus
        Name of the corpus.
    settings
        Encoders, baseline and ridge penalty.
    layout
        Paths of the results.
    grid_s
        Delays in seconds, (N,), ascending.

    Returns
    -------
    DataFrame
        `target, delay_s, ccc, best`, a row per target and delay.

    Raises
    ------
    ConfigError
        If the grid is empty or holds a negative delay.
    AvfError
        If the corpus was not verified, fewer than two training recordings are rated, or they are
        too short to tell.
    """
    if not len(grid_s) or grid_s.min() < 0:
        raise ConfigError("The grid of delays is empty or has a negative delay. Run: avf delay -h")
    rating = read_rating(corpus, layout)
    refuse_short(corpus, rated_s(corpus, layout), float(grid_s.max()))
    inputs = Inputs.of(corpus, settings.features, settings.baseline, layout)
    videos = inputs.videos["video"][inputs.videos["partition"] == "train"].tolist()
    table = read_table(layout.gold(corpus), filters=[("video", "in", videos)])
    rated = dict(list(table.groupby("video")))
    each = (_recording(inputs, settings, v, rated[v], rating, grid_s) for v in videos if v in rated)
    parts = [(x, y) for x, y in each if len(x)]
    if len(parts) < 2:
        remedy = "Try a smaller --longest." if len(rated) > 1 else STATE
        raise AvfError(
            f"{corpus}: {len(parts)} of {len(videos)} training recordings have features and "
            f"ratings at every delay up to {grid_s.max():g} s; two are needed. {remedy}"
        )
    scores = left_out_ccc(parts, settings.ridge)  # (K, N)
    rows = [
        {"target": target, "delay_s": delay_s, "ccc": ccc, "best": k == np.argmax(scores[i])}
        for i, target in enumerate(rating.names)
        for k, (delay_s, ccc) in enumerate(zip(grid_s.tolist(), scores[i].tolist(), strict=True))
    ]
    delays = pd.DataFrame(rows)
    write_text(layout.delays(corpus), delays.to_csv(index=False))
    return delays


def best(delays: pd.DataFrame) -> dict[str, float]:
    """Return target -> the delay in s of the greatest CCC, the shortest of equals."""
    chosen = delays[delays["best"]]
    return dict(zip(chosen["target"], chosen["delay_s"], strict=True))


def _recording(
    inputs: Inputs,
    settings: DelaySettings,
    video: str,
    gold: pd.DataFrame,
    rating: Rating,
    grid_s: np.ndarray,
) -> Recording:
    """Return the clips of one recording that are rated at every delay."""
    gold = gold.sort_values("time_s")
    times_s, rated_s = inputs.times(video), gold["time_s"].to_numpy(float)
    ratings = rating.inward(gold[list(rating.names)].to_numpy(float))
    late = [targets(times_s, rated_s, ratings, dict.fromkeys(rating.names, d)) for d in grid_s]
    y = np.stack(late, axis=-1)  # (R, K, N)
    complete = np.isfinite(y).all(axis=(1, 2))
    return _features(inputs, settings, video)[complete], y[complete]


def _features(inputs: Inputs, settings: DelaySettings, video: str) -> np.ndarray:
    """Return all modalities, concatenated, as in training (R, D); NaN where one is missing."""
    parts = []
    for names in settings.features.by_modality.values():
        rows = np.concatenate([inputs.stores[n].load(video).rows for n in names], axis=1)
        parts.append(off_baseline(rows) if settings.baseline == "video" else rows)
    return np.concatenate(parts, axis=1).astype(np.float32)


def left_out_ccc(parts: list[Recording], ridge: float) -> np.ndarray:
    """Score each target and delay by leave-one-recording-out ridge regression.

    Parameters
    ----------
    parts
        Features (R, D) and gold (R, K, N) of each recording.
    ridge
        Penalty per clip.

    Returns
    -------
    ndarray of shape (K, N)
        CCC over all recordings.
    """
    parts = _standardised(parts)
    gram = [x.T @ x for x, _ in map(_double, parts)]
    cross = [x.T @ y.reshape(len(y), -1) for x, y in map(_double, parts)]  # (D, K N)
    all_gram, all_cross = _total(gram), _total(cross)
    rows = sum(len(x) for x, _ in parts)
    sums = np.zeros((*parts[0][1].shape[1:], 6))
    for part, left_gram, left_cross in zip(parts, gram, cross, strict=True):
        x, y = _double(part)
        penalty = ridge * (rows - len(x)) * np.eye(x.shape[1])
        penalty[-1, -1] = 1e-9 * rows  # the last column is the constant
        weights = np.linalg.solve(all_gram - left_gram + penalty, all_cross - left_cross)
        p = (x @ weights).reshape(y.shape)
        n = np.full(y.shape[1:], len(x))
        moments = [p.sum(0), y.sum(0), (p * p).sum(0), (y * y).sum(0), (p * y).sum(0)]
        sums += np.stack([n, *moments], axis=-1)
    return np.nan_to_num(pooled_ccc(sums))


def _double(part: Recording) -> Recording:
    return part[0].astype(float), part[1].astype(float)


def _total(parts: list[np.ndarray]) -> np.ndarray:
    """Add arrays one by one, from the first."""
    return functools.reduce(np.add, parts)


def _standardised(parts: list[Recording]) -> list[Recording]:
    """Standardise features over all recordings, missing ones to 0, and append a column of 1."""
    count = _total([np.isfinite(x).sum(axis=0) for x, _ in parts]).clip(1)
    mean = _total([np.nansum(x, axis=0, dtype=float) for x, _ in parts]) / count
    square = _total([np.nansum((x - mean) ** 2, axis=0) for x, _ in parts]) / count
    spread = np.where(square > 0, np.sqrt(square), 1.0)
    return [
        (np.append(np.nan_to_num((x - mean) / spread), np.ones((len(x), 1)), axis=1), y)
        for x, y in parts
    ]
