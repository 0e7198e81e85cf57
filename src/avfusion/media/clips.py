"""The grid of clips: their ends, the frames in them, and means over them.

The grid is in seconds and the same for all videos. A grid in frames (`windows.frame_hz`) therefore
holds other numbers of frames in a video of another rate; docs/explanation/windows.md lists what
differs from code that counts each video's own frames.
"""

import numpy as np

from avfusion.schemas import SLACK_S

COLUMNS = 64
"""Columns that `pool_spans` averages at once, which bounds its memory."""


def clip_ends(duration_s: float, hop_s: float) -> np.ndarray:
    """Return the ends of a video's clips in seconds, float64 (N,), the same for all encoders.

    >>> clip_ends(0.5, 0.16).tolist()
    [0.16, 0.32, 0.48]
    """
    return np.arange(1, int((duration_s + SLACK_S) / hop_s) + 1) * hop_s


def clip_spans(
    times_s: np.ndarray, ends_s: np.ndarray, clip_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return first index and last + 1 of the ascending `times_s` in each (end - clip, end].

    >>> [i.tolist() for i in clip_spans(np.array([0., .1, .2, .3]), np.array([.1, .3]), .2)]
    [[0, 2], [2, 4]]
    """
    first = np.searchsorted(times_s, ends_s - clip_s + SLACK_S, side="right")
    return first, np.searchsorted(times_s, ends_s + SLACK_S, side="right")


def pool_clips(
    times_s: np.ndarray, values: np.ndarray, ends_s: np.ndarray, clip_s: float
) -> np.ndarray:
    """Average values (M, D) at ascending times (M,) per clip: float32 (N, D), NaN if empty."""
    first, last = clip_spans(times_s, ends_s, clip_s)
    out = np.full((len(ends_s), values.shape[1]), np.nan, np.float32)
    for row, (begin, end) in enumerate(zip(first, last, strict=True)):
        if end > begin:
            out[row] = values[begin:end].mean(0)
    return out


def pool_spans(
    starts_s: np.ndarray,
    stops_s: np.ndarray,
    values: np.ndarray,
    ends_s: np.ndarray,
    clip_s: float,
) -> np.ndarray:
    """Average rows that last, per column and clip, weighted by how long they overlap the clip.

    Parameters
    ----------
    starts_s, stops_s
        First and last instant of each row, float64 (M,); ascending, without overlaps.
    values
        Rows (M, D); NaN where there is no value.
    ends_s
        Ends of the clips (N,) in seconds.
    clip_s
        Length of a clip in seconds.

    Returns
    -------
    ndarray
        Means, float32 (N, D); NaN where no value overlaps the clip.

    Examples
    --------
    >>> rows = np.array([[0.0], [np.nan], [4.0]])
    >>> at = np.array([0.0, 1.0, 2.0])
    >>> pool_spans(at, at + 1, rows, np.array([1.0, 1.5, 2.0, 2.5]), 1.0)[:, 0].tolist()
    [0.0, 0.0, nan, 4.0]
    """
    out = np.full((len(ends_s), values.shape[1]), np.nan, np.float32)
    if not len(values):
        return out
    edges_s = np.concatenate([ends_s - clip_s, ends_s])  # (2N,)
    row = np.searchsorted(starts_s, edges_s, side="right") - 1  # -1 before the first row
    inside_s = np.clip(np.minimum(edges_s, stops_s[row]) - starts_s[row], 0.0, None)
    inside_s = np.where(row < 0, 0.0, inside_s)[:, None]
    row, lasts_s = np.maximum(row, 0), (stops_s - starts_s)[:, None]
    for first in range(0, values.shape[1], COLUMNS):
        part = values[:, first : first + COLUMNS].astype(float)
        valid = ~np.isnan(part)
        sums = []
        for amount in (np.where(valid, part, 0.0), valid.astype(float)):  # (M, D)
            before = np.cumsum(amount * lasts_s, axis=0) - amount * lasts_s  # of the rows before
            begin, end = np.split(before[row] + amount[row] * inside_s, 2)
            sums.append(end - begin)  # (N, D)
        total, weight_s = sums
        seen = weight_s > SLACK_S
        out[:, first : first + COLUMNS][seen] = (total[seen] / weight_s[seen]).astype(np.float32)
    return out


def last_spans(
    starts_s: np.ndarray,
    stops_s: np.ndarray,
    values: np.ndarray,
    ends_s: np.ndarray,
    clip_s: float,
) -> np.ndarray:
    """Return the last complete row in each clip, as `pool_spans`; NaN if all of them failed."""
    valid = ~np.isnan(values).any(1)
    starts_s, stops_s, values = starts_s[valid], stops_s[valid], values[valid]
    out = np.full((len(ends_s), values.shape[1]), np.nan, np.float32)
    row = np.searchsorted(starts_s, ends_s - SLACK_S, side="left") - 1
    inside = row >= 0
    inside[inside] = stops_s[row[inside]] > (ends_s - clip_s + SLACK_S)[inside]
    out[inside] = values[row[inside]]
    return out
