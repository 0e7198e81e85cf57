"""The grid of clips: their ends, the frames in them, and means over them.

The grid is in seconds and the same for all videos. A grid in frames (`windows.frame_hz`) therefore
holds other numbers of frames in a video of another rate; docs/explanation/windows.md lists what
differs from code that counts each video's own frames.
"""

import numpy as np

from avfusion.schemas import SLACK_S


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
