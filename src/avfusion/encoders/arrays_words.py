"""Vectors of the words said, in their order, of a corpus that is arrays."""

import numpy as np

from avfusion.arrays import Utterance
from avfusion.encoders._arrays import ArrayEncoder
from avfusion.registry import encoders


@encoders.add("arrays_words")
class ArrayWords(ArrayEncoder):
    """300 numbers a clip: the mean over its time of the words that fall into it."""

    modality = "text"

    def steps(self, record: Utterance) -> np.ndarray:
        """As shared, without what fills up: (M, D)."""
        return record.words
