"""Arrange the rows of one video: encoders side by side, and without the video's mean."""

import numpy as np


def side_by_side(parts: list[np.ndarray]) -> np.ndarray:
    """Join the features (R, D) of a modality's encoders; NaN where one of them is all NaN."""
    rows = np.concatenate(parts, axis=1)
    absent = np.any([np.isnan(part).all(axis=1) for part in parts], axis=0)
    rows[absent] = np.nan
    return rows


def off_baseline(rows: np.ndarray) -> np.ndarray:
    """Subtract the mean over a video's present rows; NaN stays NaN.

    Faces and voices at rest differ between people more than one of them changes over time; AVEC's
    baselines standardise per recording for the same reason. The mean covers the whole video, so
    this cannot be used on a live stream.

    Parameters
    ----------
    rows
        Features of one video (R, D).

    Returns
    -------
    numpy.ndarray
        Shape (R, D), float32.
    """
    present = ~np.isnan(rows)
    total = np.where(present, rows, 0).sum(axis=0, dtype=np.float64)
    mean = total / np.maximum(present.sum(axis=0), 1)  # float64, so that a constant becomes 0
    return (rows - mean).astype(np.float32)
