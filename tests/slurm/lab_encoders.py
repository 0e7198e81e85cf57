"""An encoder of a lab's own module; the study names it `lab_encoders:Level`."""

from typing import Any

import numpy as np


class Level:
    """Root mean square of the sound of each clip."""

    modality = "audio"
    fitted = False
    weights = None
    dim = 1

    def encode(self, record: Any, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return features float32 (N, 1) of the clips (end - clip_s, end], NaN without sound."""
        rows = np.full((len(ends_s), 1), np.nan, np.float32)
        for row, end_s in zip(rows, ends_s, strict=True):
            samples, recorded = record.waveform(end_s - clip_s, end_s)
            if recorded.any():
                row[0] = np.sqrt(np.mean(samples[recorded] ** 2))
        return rows
