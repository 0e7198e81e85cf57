"""Prosody of the whole utterance, the same in each clip, of a corpus that is arrays."""

import numpy as np

from avfusion.arrays import Utterance
from avfusion.encoders._arrays import ArrayEncoder
from avfusion.registry import encoders


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
