"""Refuse features that a run cannot be trained on."""

import numpy as np

from avfusion.config.sections import WindowSettings
from avfusion.errors import TrainError
from avfusion.features.store import FeatureStore
from avfusion.features.windows import stride_of


def refuse_short(corpus: str, partition: str, cuts: WindowSettings, video: str, rows: int) -> None:
    """Raise TrainError: the longest video of a partition, of some rows, has no complete window."""
    least = (cuts.clips - 1) * stride_of(cuts) + 1
    raise TrainError(
        f"{corpus}: `windows.last: dropped` leaves no rated {partition} window. The longest video, "
        f"{video!r}, has {rows} rows ({rows * cuts.hop_s:.4g} s), and a window needs {least} "
        f"({least * cuts.hop_s:.4g} s). Set `windows.last: moved`, or fewer `windows.clips`."
    )


def refuse_infinite(
    corpus: str, encoder: str, store: FeatureStore, video: str, rows: np.ndarray
) -> None:
    """Raise TrainError if a feature (R, D) of a video is infinite."""
    infinite = np.isinf(rows).any(axis=0)
    if infinite.any():
        raise TrainError(
            f"{store.path.parent / video}.npy: feature {int(infinite.argmax())} of encoder "
            f"{encoder!r} is infinite in video {video!r} ({int(infinite.sum())} such features). "
            f"Correct the encoder and run `avf encode {corpus} {encoder}`, or take the video out "
            f"of the corpus."
        )
