"""Six simulated raters, who delay, scale and shift a signal and add noise."""

import numpy as np

from avfusion.corpora.demo.scene import SIGNAL_HZ, at, smooth

RATERS = ("R1", "R2", "R3", "R4", "R5", "R6")
DELAYS_S = {
    "valence": (0.45, 0.55, 0.65, 0.75, 0.85, 0.95),  # mean 0.7
    "arousal": (0.65, 0.75, 0.85, 0.95, 1.05, 1.15),  # mean 0.9
}


def rate(signal: np.ndarray, dimension: str, rng: np.random.Generator) -> np.ndarray:
    """Return ratings (N, 6) in [-1, 1] of a signal (N,), which starts with its first value held."""
    time_s = np.arange(len(signal)) / SIGNAL_HZ
    seconds = len(signal) / SIGNAL_HZ
    columns = []
    for delay_s in DELAYS_S[dimension]:
        scale, bias = rng.uniform(0.75, 1.05), rng.uniform(-0.08, 0.08)
        waver = 0.08 * smooth(rng, seconds, 1.0) + 0.01 * rng.standard_normal(len(signal))
        columns.append(scale * at(signal, time_s - delay_s) + bias + waver)
    return np.clip(np.column_stack(columns), -1, 1)
