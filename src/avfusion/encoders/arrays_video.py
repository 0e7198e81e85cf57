"""What a network saw in pictures of the speaker's half, of a corpus that is arrays."""

import numpy as np

from avfusion.arrays import Utterance
from avfusion.encoders._arrays import ArrayEncoder
from avfusion.registry import encoders


@encoders.add("arrays_video")
class ArrayVideo(ArrayEncoder):
    """2048 numbers a clip: the mean over its time."""

    modality = "video"

    def steps(self, record: Utterance) -> np.ndarray:
        """As shared, without what fills up: (M, D)."""
        return record.pictures
