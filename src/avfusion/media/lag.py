"""Estimate the lag between the sounds of two files by cross-correlation."""

from pathlib import Path

import av
import numpy as np
from scipy.signal import correlate, correlation_lags

from avfusion.errors import MediaError

RATE_HZ, FIRST_S, MOST_S = 8000, 120.0, 2.0


def lag_s(first: Path, second: Path) -> float:
    """Return by how many seconds the sound of `second` is late, at most 2 s; NaN if one is silent.

    Each file has the timeline of its own container; the first two minutes are compared.
    """
    sounds = [_samples(path) for path in (first, second)]
    if any(len(x) == 0 or not np.ptp(x) for x in sounds):
        return float("nan")
    x, y = (s - s.mean() for s in sounds)
    correlation = correlate(y, x, "full", "fft")
    lags = correlation_lags(len(y), len(x), "full")
    near = np.abs(lags) <= MOST_S * RATE_HZ
    return float(lags[near][correlation[near].argmax()] / RATE_HZ)


def _samples(path: Path) -> np.ndarray:
    """Read mono float32 (N,) from container time 0, zeros where nothing was recorded."""
    out = np.zeros(round(FIRST_S * RATE_HZ), np.float32)
    end = 0
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    try:
        with av.open(str(path)) as container:
            if container.streams.best("audio") is None:
                return out[:0]
            at: int | None = None
            for frame in container.decode(audio=0):
                if at is None:
                    at = round((frame.time or 0.0) * RATE_HZ)
                for part in resampler.resample(frame):
                    samples = part.to_ndarray()[0]
                    low, high = max(0, at), min(at + len(samples), len(out))
                    if low < high:
                        out[low:high] = samples[low - at : high - at]
                    at, end = at + len(samples), max(end, high)
                if at >= len(out):
                    break
    except av.FFmpegError as error:
        raise MediaError(f"{path}: the sound cannot be read ({error}). Copy it again.") from None
    return out[:end]
