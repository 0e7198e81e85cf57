"""Gold at the times of feature rows, from ratings at other times."""

import numpy as np

GAP = 1.5
"""Ratings further apart than this many median intervals of a video are not interpolated."""


def targets(
    time_s: np.ndarray, rated_s: np.ndarray, ratings: np.ndarray, delay_s: dict[str, float]
) -> np.ndarray:
    """Interpolate ratings at given times, corrected for the annotation delay.

    Parameters
    ----------
    time_s
        Times (R,) of what was rated, in seconds.
    rated_s
        Times (G,) of the ratings, ascending.
    ratings
        Ratings (G, K).
    delay_s
        Target -> annotation delay in seconds, in the order of the columns.

    Returns
    -------
    numpy.ndarray
        Gold at `time_s` + delay (R, K), float32, linear between two rated neighbours. NaN outside
        the ratings, where a neighbour is unrated, and where neighbours are further apart than GAP
        median intervals (rows are missing there).
    """
    columns = []
    for column, late_s in enumerate(delay_s.values()):
        times = np.round(time_s + late_s, 6)
        if len(rated_s) == 0:
            columns.append(np.full(len(times), np.nan))
            continue
        known = np.round(rated_s, 6), ratings[:, column]
        values = np.interp(times, *known, left=np.nan, right=np.nan)
        columns.append(np.where(_in_gap(times, known[0]), np.nan, values))
    return np.stack(columns, axis=-1).astype(np.float32)


def _in_gap(times: np.ndarray, rated_s: np.ndarray) -> np.ndarray:
    """Return which of the times (R,) are strictly between two ratings that are too far apart."""
    steps = np.diff(rated_s)
    if len(steps) == 0:
        return np.zeros(len(times), bool)
    left = np.searchsorted(rated_s, times, side="right") - 1
    at = np.clip(left, 0, len(steps) - 1)
    inside = (left >= 0) & (left < len(steps)) & (times > rated_s[at])
    return inside & (steps[at] > GAP * np.median(steps))
