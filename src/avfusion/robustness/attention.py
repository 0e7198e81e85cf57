"""Attention of finished runs on one video: which clips of a window each clip draws on.

Only maps of clips by clips are kept; those of features by features (JCA's correlations) have no
time axis. Of the windows of a block one is kept, and of its clips those whose prediction counts,
so that time is told once.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch

from avfusion.features.windows import Windows
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.robustness.stage import reported_partition
from avfusion.runs.files import predicts
from avfusion.runs.predictor import Trained
from avfusion.training import device
from avfusion.training.loop import deterministic

COLUMNS = ["video", "map", "window", "time_s", "attended_s", "weight"]


def write_attention(corpus: str, study: dict[str, Any], layout: Layout) -> None:
    """Write attention.parquet into the first finished run of each fusion that attends over time.

    `video, map, window, time_s, attended_s, weight`: a row a pair of clips of a window of the
    reported video with the most planted spans (then by name), as the figures show it.
    """
    partition = reported_partition(corpus, layout)
    for fusion in study["fusions"]:
        folders = [layout.run(corpus, fusion, seed) for seed in study["seeds"]]
        for folder in folders:
            (folder / "attention.parquet").unlink(missing_ok=True)
        found = next((folder for folder in folders if predicts(folder)), None)
        if found is None:
            continue
        trained = Trained.open(found, layout)
        rows = trained.rows(partition)
        video = shown_video(rows["video"], layout.truth(corpus))
        with deterministic(trained.own["seed"]):
            table = pairs(trained.model, trained.data.windows(partition), rows, video)
        if len(table):
            write_table(table, found / "attention.parquet")


def shown_video(videos: pd.Series, truth: Any) -> str:
    """The video with the most planted spans, then the first by name."""
    spans = pd.read_parquet(truth)["video"].value_counts() if truth.is_file() else {}
    return min(videos.unique(), key=lambda video: (-spans.get(video, 0), video))


def pairs(model: torch.nn.Module, windows: Windows, rows: pd.DataFrame, video: str) -> pd.DataFrame:
    """Every weight of one video's maps; rows: `video, time_s`, as the windows count them."""
    own = np.flatnonzero((rows["video"] == video).to_numpy())
    time_s, tables = rows["time_s"].to_numpy(), [pd.DataFrame(columns=COLUMNS)]
    which = torch.tensor(_blocks(windows.rows[:, 0].numpy(), own))
    with torch.no_grad():
        maps = model(*device.moved(windows.batch(which).inputs, device.of(model)))[1]
    steps = windows.rows.shape[1]
    for name in maps:
        weight = maps[name].cpu()
        weight = weight.mean(1) if weight.ndim == 4 else weight  # heads
        if weight.ndim != 3 or weight.shape[1:] != (steps, steps):
            continue
        for number, one in enumerate(weight.numpy()):
            at = time_s[windows.rows[which[number]].numpy()]
            attends = one if np.allclose(one.sum(0)[one.any(0)], 1, atol=1e-3) else one.T
            used = np.tile(windows.used[which[number]].numpy(), steps)
            tables.append(pd.DataFrame({
                "video": video, "map": name, "window": number, "time_s": np.tile(at, steps),
                "attended_s": np.repeat(at, steps), "weight": attends.ravel(),
            })[used])  # fmt: skip
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _blocks(first: np.ndarray, own: np.ndarray) -> list[int]:
    """One window a block of the video's rows `own`: windows of a block begin on adjoining rows."""
    numbers = np.flatnonzero(np.isin(first, own))
    begins = np.diff(first[numbers], prepend=-2) != 1
    return [int(number) for number in numbers[begins]]
