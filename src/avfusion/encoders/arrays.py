"""Encoders of a corpus that is arrays: what was encoded elsewhere, laid on a study's clips.

The arrays hold steps without times. Each step is taken to hold from its own place to the next
one's, the steps of an utterance lying evenly over its length: for MFCC that is certain but for the
hop; pictures were taken at a fixed rate over the same span, so that a step lies off by less than
its own length; words have no times at all, and long ones pass for short. A clip's row is the mean
over its time of the steps that it overlaps, weighted by how long.
"""

from typing import Any, ClassVar

import numpy as np

from avfusion.media.arrays import Utterance
from avfusion.registry import encoders


class ArrayEncoder:
    """Takes one array of an utterance; its width is the array's own."""

    fitted: ClassVar[bool] = False
    reads = "arrays"
    weights = None
    dim = 0

    def steps(self, record: Utterance) -> np.ndarray:
        """The array's steps (M, D), without what fills up."""
        raise NotImplementedError

    def encode(self, record: Utterance, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Features float32 (N, D) of the clips (end - clip_s, end]; NaN without a step."""
        steps = self.steps(record)
        self.dim = steps.shape[1]
        return spread(steps, record.duration_s, ends_s, clip_s)

    def remark(self, record: Any) -> str | None:
        """What an index says of an utterance without a step."""
        return None if len(self.steps(record)) else "no step in the arrays; every row is NaN"


def spread(steps: np.ndarray, duration_s: float, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
    """Mean of evenly spread steps (M, D) over each clip's time: float32 (N, D); NaN if M = 0.

    >>> spread(np.array([[0.0], [4.0]]), 1.0, np.array([0.25, 0.75, 1.0]), 0.5)[:, 0].tolist()
    [0.0, 2.0, 4.0]
    """
    if not len(steps):
        return np.full((len(ends_s), steps.shape[1]), np.nan, np.float32)
    at_s = np.arange(len(steps) + 1) * (duration_s / len(steps))
    first, last = np.maximum(ends_s - clip_s, 0.0)[:, None], ends_s[:, None]
    shared_s = np.minimum(at_s[1:], last) - np.maximum(at_s[:-1], first)  # (N, M)
    weight = np.maximum(shared_s, 0.0)
    return (weight @ steps.astype(float) / weight.sum(1, keepdims=True)).astype(np.float32)


@encoders.add("arrays_mfcc")
class ArrayMfcc(ArrayEncoder):
    """120 numbers a clip: the mean over its time."""

    modality = "audio"

    def steps(self, record: Utterance) -> np.ndarray:
        """As shared, without what fills up: (M, D)."""
        return record.mfcc


@encoders.add("arrays_prosody")
class ArrayProsody(ArrayEncoder):
    """35 numbers, equal in all clips of an utterance.

    `train.baseline: video` takes off all that they say: set it to `none`.
    """

    modality = "audio"
    constant = True  # over an utterance

    def steps(self, record: Utterance) -> np.ndarray:
        """As shared, without what fills up: (M, D)."""
        return record.prosody


@encoders.add("arrays_video")
class ArrayVideo(ArrayEncoder):
    """2048 numbers a clip: the mean over its time."""

    modality = "video"

    def steps(self, record: Utterance) -> np.ndarray:
        """As shared, without what fills up: (M, D)."""
        return record.pictures


@encoders.add("arrays_words")
class ArrayWords(ArrayEncoder):
    """300 numbers a clip: the mean over its time of the words that fall into it."""

    modality = "text"

    def steps(self, record: Utterance) -> np.ndarray:
        """As shared, without what fills up: (M, D)."""
        return record.words
