"""Predictions and ratings as series in time: selected, shifted and smoothed."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd


def instants(time_s: np.ndarray, step_s: float | None) -> np.ndarray:
    """Return which of the ascending instants (N,) are scored.

    These are the first at or after 0, step_s, 2 step_s, …; all of them if `step_s` is None.

    >>> instants(np.arange(6) * 0.2, 0.4).tolist()
    [True, False, True, False, True, False]
    """
    kept = np.ones(len(time_s), bool)
    if step_s is None or not len(time_s):
        return kept
    wanted = np.arange(int(time_s[-1] / step_s + 1e-6) + 1) * step_s
    kept[:] = False
    kept[np.searchsorted(time_s, wanted - 1e-6).clip(max=len(time_s) - 1)] = True
    return kept


def shift(
    trace: pd.DataFrame | Mapping[str, np.ndarray], target: str, at_s: np.ndarray, delay_s: float
) -> np.ndarray:
    """Interpolate a trace at instants `at_s` (N,) of the gold, which lags by `delay_s`."""
    time_s = np.asarray(trace["time_s"], float) + delay_s
    return np.interp(at_s, time_s, np.asarray(trace[target], float))


def held(gold: pd.DataFrame, frames: int) -> np.ndarray:
    """Return the ratings (K, N) of N frames, each held for up to `frames` unrated frames.

    A frame without all K ratings is unrated in all. It takes the ratings of the newest rated frame,
    if that is at most `frames` frames back; else it is NaN.

    >>> held(pd.DataFrame({"valence": [np.nan, 0.5, np.nan, np.nan]}), 1).tolist()
    [[nan, 0.5, 0.5, nan]]
    """
    rows, place = gold.to_numpy(float), np.arange(len(gold))
    newest = np.maximum.accumulate(np.where(np.isnan(rows).any(axis=1), -1, place))
    rows = rows[newest]
    rows[(newest < 0) | (place - newest > frames)] = np.nan
    return rows.T


def smooth(
    x: np.ndarray, width: int, edges: Literal["zero", "nearest"], zero: float = 0.0
) -> np.ndarray:
    """Apply a box filter of `width` frames to (N,); pad with `zero` or the nearest value.

    >>> smooth(np.full(6, 0.5), 4, "zero").round(3).tolist()
    [0.25, 0.375, 0.5, 0.5, 0.5, 0.375]
    """
    from scipy.ndimage import uniform_filter1d  # slow to import, and `snakemake` reads rules here

    if not len(x):
        return x
    mode = "constant" if edges == "zero" else "nearest"
    return uniform_filter1d(x, width, mode=mode, cval=zero)
