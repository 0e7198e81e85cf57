"""Export the attention of trained runs on one video.

Only maps of clips by clips are exported; maps of features by features (JCA's correlations) have no
time axis. One window per block is kept, and of its clips those whose prediction is used. Where
windows overlap, a clip is shown in the first of them, so that no time occurs twice.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from avfusion.config.jobs import RobustSettings
from avfusion.evaluation.partitions import reported_in_corpus
from avfusion.features.windows import Windows
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.runs.files import ATTENTION, predicts
from avfusion.runs.predictor import Trained
from avfusion.training import device
from avfusion.training.loop import deterministic

COLUMNS = ["video", "map", "window", "time_s", "attended_s", "weight"]


def write_attention(corpus: str, settings: RobustSettings, layout: Layout) -> None:
    """Write attention.parquet into the first finished run of each fusion that attends over time.

    The columns are `video, map, window, time_s, attended_s, weight`, with a row per pair of clips
    of a window. The video is the one of the reported partition with the most planted spans (then
    by name), as in the figures.
    """
    partition = reported_in_corpus(corpus, layout)
    for fusion in settings.fusions:
        folders = [layout.run(corpus, fusion, seed) for seed in settings.seeds]
        for folder in folders:
            (folder / ATTENTION).unlink(missing_ok=True)
        finished = next((folder for folder in folders if predicts(folder)), None)
        if finished is None:
            continue
        trained = Trained.open(finished, layout)
        rows = trained.rows(partition)
        video = shown_video(rows["video"], layout.truth(corpus))
        with deterministic(trained.settings.seed):
            table = pairs(trained.model, trained.data.windows(partition), rows, video)
        if len(table):
            write_table(table, finished / ATTENTION)


def shown_video(videos: pd.Series, truth: Path) -> str:
    """Return the video with the most planted spans, then the first by name."""
    spans: Mapping[str, int] = {}
    if truth.is_file():
        spans = pd.read_parquet(truth)["video"].value_counts().to_dict()
    return min(videos.unique(), key=lambda video: (-spans.get(video, 0), video))


def pairs(model: torch.nn.Module, windows: Windows, rows: pd.DataFrame, video: str) -> pd.DataFrame:
    """Return the attention weights of one video.

    Parameters
    ----------
    model
        Returns predictions and maps by name; (B, T, T) or, with heads, (B, H, T, T).
    windows
        Windows of a partition.
    rows
        `video, time_s` of each row of the windows.
    video
        The video.

    Returns
    -------
    DataFrame
        `video, map, window, time_s, attended_s, weight`; `weight` sums to 1 over `attended_s`.
    """
    places = np.flatnonzero((rows["video"] == video).to_numpy())
    time_s, tables = rows["time_s"].to_numpy(), [pd.DataFrame(columns=COLUMNS)]
    which = torch.tensor(_blocks(windows, places))
    shown = _shown(windows, which)
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
            used = np.tile(shown[number], steps)
            tables.append(pd.DataFrame({
                "video": video, "map": name, "window": number, "time_s": np.tile(at, steps),
                "attended_s": np.repeat(at, steps), "weight": attends.ravel(),
            })[used])  # fmt: skip
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _blocks(windows: Windows, places: np.ndarray) -> list[int]:
    """Return one window per block that starts in `places`.

    The windows of a block start on adjacent rows, as many as from one clip to the next.
    """
    first = windows.rows[:, 0].numpy()
    steps = windows.rows[windows.inside[:, :2].all(1), :2].diff().flatten()
    stride = int(steps[0]) if len(steps) else len(first)
    chosen: list[int] = []
    for number in np.flatnonzero(np.isin(first, places)):
        adjacent = len(chosen) and first[number] == first[number - 1] + 1
        if not adjacent or first[number] >= first[chosen[-1]] + stride:
            chosen.append(int(number))
    return chosen


def _shown(windows: Windows, which: torch.Tensor) -> np.ndarray:
    """Return the used steps (B, L) of the windows `which` whose rows no earlier one of them has."""
    rows, shown = windows.rows[which].numpy(), np.array(windows.used[which])
    for number in range(len(rows)):
        shown[number] &= ~np.isin(rows[number], rows[:number][shown[:number]])
    return shown
