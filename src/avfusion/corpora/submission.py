"""Predictions per video frame, as challenge submissions require them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.media.store import MediaRecord
from avfusion.media.timing import Timing
from avfusion.rating import DIMENSIONS


class Answers(Mapping[str, "Answer"]):
    """Predictions of the test videos, as a mapping from video to `Answer`.

    Parameters
    ----------
    value_range
        Lowest and highest rating of the corpus, which limit the predictions.
    traces
        Predictions over time, with the columns `video`, `time_s`, `valence` and `arousal`.
    videos
        Test videos. A video without a trace gets the mean of all traces and is listed in `filled`.
    media
        Folder of the media stage, which has the time of each frame.
    """

    def __init__(
        self,
        value_range: tuple[float, float],
        traces: pd.DataFrame,
        videos: list[str],
        media: Path,
    ) -> None:
        self._range, self._media = value_range, media
        self._videos = videos
        self._traces = dict(list(traces.groupby("video")))
        self._mean = traces[list(DIMENSIONS)].mean().to_numpy()
        self.filled = [video for video in videos if video not in self._traces]

    def __len__(self) -> int:
        return len(self._videos)

    def __iter__(self) -> Iterator[str]:
        return iter(self._videos)

    def __getitem__(self, video: str) -> "Answer":
        if video not in self._videos:
            raise KeyError(video)
        if video in self.filled:
            return Answer(None, None, self._mean, self._range)
        record = MediaRecord.open(self._media / video)
        return Answer(record, self._traces[video].sort_values("time_s"), self._mean, self._range)


class Answer:
    """Predictions of one video per frame.

    A prediction is the trace at the time when the frame is shown: linearly interpolated, with the
    first and last value held.
    """

    def __init__(
        self,
        record: MediaRecord | None,
        trace: pd.DataFrame | None,
        mean: np.ndarray,
        limits: tuple[float, float],
    ) -> None:
        self._trace, self._mean, self._limits = trace, mean, limits
        self._clock = Timing(np.empty(0), 0.0, (np.nan, np.nan))
        if record is not None:
            times_s = record.frames["time_s"].to_numpy(float)
            self._clock = Timing(times_s, record.duration_s, (np.nan, np.nan))

    @property
    def frames(self) -> int:
        """Number of frames of the video; 0 if it could not be read."""
        return len(self._clock.times_s)

    def rows(self, count: int) -> np.ndarray:
        """Return predictions of the first `count` frames (count, 2), also past the last one."""
        if self._trace is None:
            return np.tile(self._mean, (count, 1)).clip(*self._limits)
        at_s, times_s = self._clock.at(count), self._trace["time_s"].to_numpy(float)
        columns = [np.interp(at_s, times_s, self._trace[d].to_numpy(float)) for d in DIMENSIONS]
        return np.stack(columns, 1).clip(*self._limits)
