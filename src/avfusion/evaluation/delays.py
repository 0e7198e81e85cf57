"""How late a corpus' raters answer, from the train partition alone: ridge on a grid of delays.

Source   The grid search of the AVEC challenges (Valstar et al., arXiv:1605.01600; Ringeval et al.,
         AVEC 2018), made cheap: for each target and delay d, a linear map of the cached features X
         to gold(t + d), in closed form and scored on the recording that it has not seen,

             w_v = (sum_{u != v} X_u^T X_u + ridge R I)^-1 sum_{u != v} X_u^T y_u(d)
             score(d) = CCC of all X_v w_v with all y_v(d), population moments.

Departs  Features are standardised over the train partition; an absent modality counts as its mean.
         Every delay is judged on the same clips, those rated at all delays: else a long delay would
         be judged on fewer clips than a short one. R is the number of clips.

A row of features describes the clip_s before its time, and so does the delay that is found: it is
shorter than the raters' own by about half a clip, and it is what the study should use.
"""

import json
from typing import Any

import numpy as np
import pandas as pd

from avfusion.errors import AvfError, ConfigError
from avfusion.features.windows import targets
from avfusion.io.atomic import write_text
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import pooled_ccc
from avfusion.rating import Rating
from avfusion.runs.inputs import Inputs, off_baseline

Recording = tuple[np.ndarray, np.ndarray]  # features (R, D), gold (R, K, N) at N delays


def search(corpus: str, own: dict[str, Any], layout: Layout, grid_s: np.ndarray) -> pd.DataFrame:
    """`target, delay_s, ccc, best` of every target and delay; also written to delays/<corpus>.csv.

    own: `features`, `train.baseline` and `ridge`. Gold and features of other partitions than train
    are not opened. Refuses fewer than two rated train recordings.
    """
    if not len(grid_s) or grid_s.min() < 0:
        raise ConfigError("The delays to try are none, or below 0; see `avf delay --help`.")
    card = layout.card(corpus)
    if not card.is_file():
        raise AvfError(f"{card}: no such file. Run `avf verify {corpus}`.")
    rating = Rating.of(json.loads(card.read_text()))
    inputs = Inputs.read({**own, "corpus": corpus}, layout)
    videos = inputs.videos["video"][inputs.videos["partition"] == "train"].tolist()
    table = read_table(layout.gold(corpus), filters=[("video", "in", videos)])
    rated = dict(list(table.groupby("video")))
    parts = [_recording(inputs, v, rated[v], rating, grid_s) for v in videos if v in rated]
    parts = [(x, y) for x, y in parts if len(x)]
    if len(parts) < 2:
        raise AvfError(
            f"{corpus}: {len(parts)} of {len(videos)} train recordings have features and ratings "
            f"at every delay up to {grid_s.max():g} s; two are needed. Try a smaller --longest."
        )
    scores = left_out_ccc(parts, own["ridge"])  # (K, N)
    rows = [
        {"target": target, "delay_s": delay_s, "ccc": ccc, "best": k == np.argmax(scores[i])}
        for i, target in enumerate(rating.names)
        for k, (delay_s, ccc) in enumerate(zip(grid_s.tolist(), scores[i].tolist(), strict=True))
    ]
    found = pd.DataFrame(rows)
    write_text(layout.delays(corpus), found.to_csv(index=False))
    return found


def best(found: pd.DataFrame) -> dict[str, float]:
    """Target -> the delay of the greatest CCC, the shortest of equals."""
    chosen = found[found["best"]]
    return dict(zip(chosen["target"], chosen["delay_s"], strict=True))


def _recording(
    inputs: Inputs, video: str, gold: pd.DataFrame, rating: Rating, grid_s: np.ndarray
) -> Recording:
    """One recording's clips that are rated at every delay."""
    gold = gold.sort_values("time_s")
    times_s, known = inputs.times(video), gold["time_s"].to_numpy(float)
    ratings = rating.inward(gold[list(rating.names)].to_numpy(float))
    late = [targets(times_s, known, ratings, dict.fromkeys(rating.names, d)) for d in grid_s]
    y = np.stack(late, axis=-1)  # (R, K, N)
    whole = np.isfinite(y).all(axis=(1, 2))
    return _features(inputs, video)[whole], y[whole]


def _features(inputs: Inputs, video: str) -> np.ndarray:
    """All modalities side by side as training sees them (R, D); NaN where one is absent."""
    own, parts = inputs.own, []
    for names in filter(None, own["features"].values()):
        rows = np.concatenate([inputs.stores[n].load(video).rows for n in names], axis=1)
        parts.append(off_baseline(rows) if own["train"]["baseline"] == "video" else rows)
    return np.concatenate(parts, axis=1).astype(np.float32)


def left_out_ccc(parts: list[Recording], ridge: float) -> np.ndarray:
    """CCC (K, N) of each target and delay, every recording predicted by a map fitted without it."""
    parts = _standardised(parts)
    gram = [x.T @ x for x, _ in map(_double, parts)]
    cross = [x.T @ y.reshape(len(y), -1) for x, y in map(_double, parts)]  # (D, K N)
    all_gram, all_cross = sum(gram), sum(cross)
    rows = sum(len(x) for x, _ in parts)
    sums = np.zeros((*parts[0][1].shape[1:], 6))
    for part, own_gram, own_cross in zip(parts, gram, cross, strict=True):
        x, y = _double(part)
        penalty = ridge * (rows - len(x)) * np.eye(x.shape[1])
        penalty[-1, -1] = 1e-9 * rows  # the last column is the constant
        weights = np.linalg.solve(all_gram - own_gram + penalty, all_cross - own_cross)
        p = (x @ weights).reshape(y.shape)
        n = np.full(y.shape[1:], len(x))
        own = [p.sum(0), y.sum(0), (p * p).sum(0), (y * y).sum(0), (p * y).sum(0)]
        sums += np.stack([n, *own], axis=-1)
    return np.nan_to_num(pooled_ccc(sums))


def _double(part: Recording) -> Recording:
    return part[0].astype(float), part[1].astype(float)


def _standardised(parts: list[Recording]) -> list[Recording]:
    """Features of mean 0 and deviation 1 over all recordings, absent ones 0, and a column of 1."""
    count = sum(np.isfinite(x).sum(axis=0) for x, _ in parts).clip(1)
    mean = sum(np.nansum(x, axis=0, dtype=float) for x, _ in parts) / count
    square = sum(np.nansum((x - mean) ** 2, axis=0) for x, _ in parts) / count
    spread = np.where(square > 0, np.sqrt(square), 1.0)
    return [
        (np.append(np.nan_to_num((x - mean) / spread), np.ones((len(x), 1)), axis=1), y)
        for x, y in parts
    ]
