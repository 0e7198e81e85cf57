"""Encoders of a corpus of arrays: features extracted elsewhere, resampled to the clips of a study.

The arrays hold steps without times. The steps of an utterance are spread evenly over its length,
and each lasts until the next one. For MFCC this is exact up to the hop. Pictures were taken at a
fixed rate over the same span, so a step is off by less than its own length. Words have no times,
so the length of a long word is underestimated. A clip's row is the mean of the steps that overlap
the clip, weighted by the length of the overlap.
"""

from typing import ClassVar

import numpy as np

from avfusion.media.arrays import Utterance
from avfusion.media.clips import pool_spans
from avfusion.registry import encoders


class ArrayEncoder:
    """Base of the encoders that read one array of an utterance; D is the width of the array."""

    fitted: ClassVar[bool] = False
    reads = "arrays"
    weights = None
    dim = 0

    def steps(self, record: Utterance) -> np.ndarray:
        """Return the steps of the array, (M, D), without padding."""
        raise NotImplementedError

    def encode(self, record: Utterance, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return features float32 (N, D) of the clips (end - clip_s, end]; NaN without a step."""
        steps = self.steps(record)
        self.dim = steps.shape[1]
        return spread(steps, record.duration_s, ends_s, clip_s)

    def remark(self, record: Utterance) -> str | None:
        """Return a note for the index if the utterance has no step."""
        return None if len(self.steps(record)) else "no step in the arrays; every row is NaN"


def spread(steps: np.ndarray, duration_s: float, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
    """Average evenly spread steps (M, D) over each clip: float32 (N, D); NaN if M = 0.

    >>> spread(np.array([[0.0], [4.0]]), 1.0, np.array([0.25, 0.75, 1.0]), 0.5)[:, 0].tolist()
    [0.0, 2.0, 4.0]
    """
    if not len(steps):
        return pool_spans(np.empty(0), np.empty(0), steps, ends_s, clip_s)
    at_s = np.arange(len(steps) + 1) * (duration_s / len(steps))
    return pool_spans(at_s[:-1], at_s[1:], steps, ends_s, clip_s)


@encoders.add("arrays_mfcc")
class ArrayMfcc(ArrayEncoder):
    """MFCC of the shared arrays: 120 numbers per clip, the mean over its time."""

    modality = "audio"

    def steps(self, record: Utterance) -> np.ndarray:
        """Return the MFCC frames without padding, (M, 120)."""
        return record.mfcc


@encoders.add("arrays_prosody")
class ArrayProsody(ArrayEncoder):
    """Prosody of the shared arrays: 35 numbers, the same in all clips of an utterance.

    `train.baseline: video` subtracts them completely, so set it to `none`.
    """

    modality = "audio"
    constant = True  # over an utterance

    def steps(self, record: Utterance) -> np.ndarray:
        """Return the one row of the utterance, (1, 35)."""
        return record.prosody


@encoders.add("arrays_video")
class ArrayVideo(ArrayEncoder):
    """Picture features of the shared arrays: 2048 numbers per clip, the mean over its time."""

    modality = "video"

    def steps(self, record: Utterance) -> np.ndarray:
        """Return the pictures' features without padding, (M, 2048)."""
        return record.pictures


@encoders.add("arrays_words")
class ArrayWords(ArrayEncoder):
    """Word vectors of the shared arrays: 300 numbers per clip, the mean of the words in it."""

    modality = "text"

    def steps(self, record: Utterance) -> np.ndarray:
        """Return the vectors of the words without padding, (M, 300)."""
        return record.words
