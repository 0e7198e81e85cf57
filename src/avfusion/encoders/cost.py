"""What encoding costs, for the log: clips per second, time left, and size of the features.

The log measures the speed on the first clips of the first video that is encoded, without what is
computed once per video. After that, what is left follows from the videos that were encoded.
`avf doctor` measures all clips of a recording, so its speed includes what is computed once.
"""

import logging
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from avfusion.schemas import SLACK_S

log = logging.getLogger(__name__)

GB = 1e9
HALF_BYTES, TIME_BYTES = 2, 8
"""Bytes of a feature in float16, and of the time of a clip."""

LOG_EVERY_S = 5.0
FIRST_CLIPS = 8
ENOUGH_S, MOST_S = 0.25, 20.0
"""A measurement ends when the clips took so long, or when so much time was spent on it."""


def feature_bytes(clips: float, dim: int) -> float:
    """Return the size of the features of some clips.

    >>> feature_bytes(583_000, 25_088) / 1e9 > 29
    True
    """
    return clips * (HALF_BYTES * dim + TIME_BYTES)


def clips_of(media: pd.DataFrame, hop_s: float) -> np.ndarray:
    """Return the number of clips of each readable video of the media index; 0 for the others.

    All are 0 if the index has no column `duration_s`.
    """
    if "duration_s" not in media.columns:
        return np.zeros(len(media), np.int64)
    duration_s = pd.to_numeric(media["duration_s"]).fillna(0.0).to_numpy(float)
    duration_s = np.where(media["status"] == "ok", duration_s, 0.0)
    return ((duration_s + SLACK_S) / hop_s).astype(np.int64)


def clips_per_s(encode: Callable[[np.ndarray], object], ends_s: np.ndarray) -> float | None:
    """Measure the speed of an encoder on the first clips of a video.

    Parameters
    ----------
    encode
        Encodes clips with these ends.
    ends_s
        Ends of all clips of the video (N,).

    Returns
    -------
    float or None
        Clips per second; what takes as long for one clip as for many is not counted. None if more
        clips took hardly longer than one.
    """
    began = time.monotonic()
    _seconds(encode, ends_s[:1])  # what is computed once, such as the kernels of a GPU
    one_s, count = _seconds(encode, ends_s[:1]), 1
    while count < len(ends_s) and time.monotonic() - began < MOST_S:
        count = min(max(2 * count, FIRST_CLIPS), len(ends_s))
        more_s = _seconds(encode, ends_s[:count]) - one_s
        if more_s >= ENOUGH_S or (count == len(ends_s) and more_s > one_s):
            return (count - 1) / more_s
    return None


def clips_per_s_of_all(encode: Callable[[np.ndarray], object], ends_s: np.ndarray) -> float:
    """Measure the speed of an encoder on a recording, with what is computed once per video.

    Parameters
    ----------
    encode
        Encodes clips with these ends.
    ends_s
        Ends of all clips of the recording (N,).

    Returns
    -------
    float
        Clips per second. If the first clips show that all take longer than `MOST_S`, the time of
        all follows from them.
    """
    _seconds(encode, ends_s[:1])  # what is computed once, such as the kernels of a GPU
    one_s = _seconds(encode, ends_s[:1])
    all_s, some = one_s * len(ends_s), min(FIRST_CLIPS, len(ends_s))
    if all_s > MOST_S and some > 1:
        more_s = max(_seconds(encode, ends_s[:some]) - one_s, 0.0) / (some - 1)
        all_s = one_s + more_s * (len(ends_s) - 1)
    if all_s <= MOST_S:
        all_s = _seconds(encode, ends_s)
    return len(ends_s) / max(all_s, 1e-9)


def _seconds(encode: Callable[[np.ndarray], object], ends_s: np.ndarray) -> float:
    start = time.monotonic()
    encode(ends_s)
    return time.monotonic() - start


class Progress:
    """Log the cost of a shard before its first video is encoded, and then what is left.

    Parameters
    ----------
    name
        Encoder and shard.
    clips
        Number of clips of each video of the shard; 0 where it is not known.
    of_corpus
        Number of clips of the corpus.
    """

    def __init__(self, name: str, clips: np.ndarray, of_corpus: int) -> None:
        self.name, self.clips, self.of_corpus = name, clips, of_corpus
        self.videos = self.encoded_clips = 0
        self.encoded_s, self.announced = 0.0, False
        self.logged = time.monotonic()

    def announce(
        self, encode: Callable[[np.ndarray], object], ends_s: np.ndarray, dim: int
    ) -> None:
        """Measure the speed and log the cost, once per shard."""
        if self.announced or not self.of_corpus:
            return
        self.announced = True
        try:
            rate = clips_per_s(encode, ends_s)
        except Exception:  # the row of the video will say why
            self.announced = False
            return
        left = int(self.clips[self.videos :].sum())
        speed = f"speed not measured on the first video, {left:,} clips"
        if rate is not None:
            speed = (
                f"{rate:,.3g} clips/s, {duration(left / rate)} for {left:,} clips without what is "
                f"computed once per video"
            )
        size = feature_bytes(self.of_corpus, dim) / GB
        log.info(
            "%s: %s; features of the corpus: %.2g GB (%s clips x %s)",
            *(self.name, speed, size, f"{self.of_corpus:,}", f"{dim:,}"),
        )

    def step(self, clips: int, took_s: float) -> None:
        """Count a video, and log what is left if some seconds have passed.

        Parameters
        ----------
        clips
            Its clips that were encoded; 0 if its features were kept or it failed.
        took_s
            Seconds since the last video.
        """
        self.videos += 1
        if clips:
            self.encoded_clips, self.encoded_s = self.encoded_clips + clips, self.encoded_s + took_s
        now = time.monotonic()
        if now - self.logged > LOG_EVERY_S or self.videos == len(self.clips):
            self.logged = now
            log.info("%s: %d of %d videos%s", self.name, self.videos, len(self.clips), self._left())

    def _left(self) -> str:
        left = int(self.clips[self.videos :].sum())
        if not (left and self.encoded_clips and self.encoded_s):
            return ""
        rate = self.encoded_clips / self.encoded_s
        return f", {rate:,.3g} clips/s, at most {duration(left / rate)} left"


def duration(seconds: float) -> str:
    """Return a duration in the unit that is read easily.

    >>> duration(14.2), duration(1800), duration(864_000)
    ('14 s', '30 min', '240 h')
    """
    for unit, length_s in (("s", 1), ("min", 60)):
        if seconds < 120 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds / 3600:,.0f} h"
