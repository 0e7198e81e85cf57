"""Features with faults that real encoders have, added to those of `synthetic_features`.

Each fault is one column of each encoder that says nothing about the ratings, or repeats what other
columns say. `nothing` puts a column of zeros in its place, so that widths and first weights agree.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from avfusion.features.gold import targets
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import pooled_ccc, video_sums
from support.synthetic_features import Plan

Column = Callable[[np.random.Generator, np.ndarray, bool], np.ndarray]
"""Draws, an informative column (R,) of mean 0 and deviation 1, whether of the train partition."""


def _dead(draw: np.random.Generator, informative: np.ndarray, train: bool, share: float = 0.02):
    """Fires in few rows: at 4e-5 on train, as a ReLU unit that hardly ever did, and large else."""
    size = (4e-5 if train else 4.0) * draw.random(len(informative))
    return np.where(draw.random(len(informative)) < share, size, 0.0)


FAULTS: dict[str, Column] = {
    "dead": _dead,
    "rare": lambda draw, x, train: _dead(draw, x, train, 0.003),
    "constant": lambda draw, x, train: 3.14 + (not train) * 50 * draw.normal(0, 1, len(x)),
    "tails": lambda draw, x, train: draw.standard_cauchy(len(x)).clip(-6e4, 6e4),
    "factor": lambda draw, x, train: x * (1 if train else 1000),
    "lost": lambda draw, x, train: x if train else np.full(len(x), np.nan),
}
"""Fault -> its column."""


def plant(layout: Layout, plan: Plan, *faults: str, blank: bool = False) -> None:
    """Append one column per fault to every encoder; `blank` appends zeros instead."""

    def columns(draw: np.random.Generator, rows: np.ndarray, train: bool) -> np.ndarray:
        if blank:
            return np.zeros((len(rows), len(faults)))
        x = np.nan_to_num((rows[:, 0] - np.nanmean(rows[:, 0])) / np.nanstd(rows[:, 0]))
        return np.stack([FAULTS[fault](draw, x, train) for fault in faults], axis=1)

    for encoder in plan.widths:
        append(layout, plan, encoder, columns)


def append(layout: Layout, plan: Plan, encoder: str, columns: Callable[..., np.ndarray]) -> None:
    """Append columns(draw, rows, train) (R, N) to an encoder's features; absent rows stay so."""

    def more(draw: np.random.Generator, rows: np.ndarray, train: bool) -> np.ndarray:
        added = columns(draw, rows, train)
        added[np.isnan(rows).all(axis=1)] = np.nan
        return np.concatenate([rows, added], axis=1)

    rewrite(layout, plan, encoder, more)


def rewrite(layout: Layout, plan: Plan, encoder: str, change: Callable[..., np.ndarray]) -> None:
    """Replace an encoder's features by change(draw, rows, train) (R, N), video by video."""
    folder = layout.features(plan.corpus, encoder)
    index = pd.read_parquet(folder / "index.parquet")
    for at, video in enumerate(index["video"]):
        rows, times_s = (np.load(folder / f"{video}{end}.npy") for end in ("", ".times"))
        draw = np.random.default_rng([7, at])
        rows = change(draw, rows.astype(float), video.startswith("train"))
        digest = write_features(folder, video, times_s, rows)
        index.loc[at, ["dim", "sha256"]] = rows.shape[1], digest
    write_table(index, folder / "index.parquet")


def rectified(layout: Layout, plan: Plan, share: float = 0.02) -> None:
    """Make every feature a rectified unit that fires in a share of the train rows."""
    for encoder in plan.widths:
        folder = layout.features(plan.corpus, encoder)
        train = [np.load(folder / f"{v}.npy") for v, part in plan.names() if part == "train"]
        level = np.nanquantile(np.concatenate(train).astype(float), 1 - share, axis=0)
        rewrite(layout, plan, encoder, lambda draw, x, train, at=level: np.maximum(x - at, 0))


def ridge_ccc(layout: Layout, plan: Plan, encoders: list[str], penalty: float = 0.01) -> float:
    """CCC on test of a ridge regression from each clip's features to the ratings."""
    parts = {part: [v for v, p in plan.names() if p == part] for part in ("train", "test")}
    x = {part: _centred(layout, plan, encoders, videos) for part, videos in parts.items()}
    y = {part: [gold_of(layout, plan, v) for v in videos] for part, videos in parts.items()}
    mean, scale = np.mean(np.concatenate(x["train"]), 0), np.std(np.concatenate(x["train"]), 0)
    rows = (np.concatenate(x["train"]) - mean) / scale
    known = np.concatenate(y["train"])
    rated = np.isfinite(known).all(1)
    rows, known = rows[rated], known[rated]
    gram = rows.T @ rows + penalty * len(rows) * np.eye(rows.shape[1])
    weights = np.linalg.solve(gram, rows.T @ (known - known.mean(0)))
    fitted = [((one - mean) / scale) @ weights + known.mean(0) for one in x["test"]]
    return _ccc(fitted, y["test"])


def scored(layout: Layout, plan: Plan, traces: pd.DataFrame) -> float:
    """Mean CCC of the traces of the test partition."""
    parts = dict(list(traces[traces["partition"] == "test"].groupby("video")))
    names = list(plan.rating.names)
    predicted = [rows[names].to_numpy(float) for rows in parts.values()]
    return _ccc(predicted, [gold_of(layout, plan, str(video)) for video in parts])


def gold_of(layout: Layout, plan: Plan, video: str) -> np.ndarray:
    """Gold at the clips of a video (R, K)."""
    gold = pd.read_parquet(layout.gold(plan.corpus), filters=[("video", "==", video)])
    known = gold["time_s"].to_numpy(), gold[list(plan.rating.names)].to_numpy()
    encoder = next(iter(plan.widths))
    times_s = np.load(layout.features(plan.corpus, encoder) / f"{video}.times.npy")
    return targets(times_s, *known, plan.delay_s).astype(float)


def _centred(
    layout: Layout, plan: Plan, encoders: list[str], videos: list[str]
) -> list[np.ndarray]:
    """Features of the encoders side by side, without each video's mean, absent ones 0."""
    folders = [layout.features(plan.corpus, encoder) for encoder in encoders]
    rows = [np.concatenate([np.load(f / f"{v}.npy") for f in folders], 1) for v in videos]
    return [np.nan_to_num(x - np.nanmean(x.astype(float), axis=0)) for x in rows]


def _ccc(predicted: list[np.ndarray], gold: list[np.ndarray]) -> float:
    pairs = [list(zip(p.T, g.T, strict=True)) for p, g in zip(predicted, gold, strict=True)]
    sums = [[video_sums(*pair) for pair in of_video] for of_video in pairs]
    return float(pooled_ccc(np.sum(sums, axis=0)).mean())
