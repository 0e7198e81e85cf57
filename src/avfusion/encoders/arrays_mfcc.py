"""MFCC and its two differences, step by step, of a corpus that is arrays."""

import numpy as np

from avfusion.arrays import Utterance
from avfusion.encoders._arrays import ArrayEncoder
from avfusion.registry import encoders


@encoders.add("arrays_mfcc")
class ArrayMfcc(ArrayEncoder):
    """120 numbers a clip: the mean over its time."""

    modality = "audio"

    def steps(self, record: Utterance) -> np.ndarray:
        """As shared, without what fills up: (M, D)."""
        return record.mfcc
