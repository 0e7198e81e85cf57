"""How much later one file's sound is than another's, from the sounds themselves."""

from pathlib import Path

import av
import numpy as np
from scipy.signal import correlate, correlation_lags

from avfusion.errors import MediaError

RATE_HZ, FIRST_S, MOST_S = 8000, 120.0, 2.0


def lag_s(first: Path, second: Path) -> float:
    """Seconds by which the sound of `second` comes late, within 2 s; NaN if one is silent.

    Both on their own container's time line; the first two minutes are compared.
    """
    sounds = [_samples(path) for path in (first, second)]
    if any(len(x) == 0 or not np.ptp(x) for x in sounds):
        return float("nan")
    x, y = (s - s.mean() for s in sounds)
    found = correlate(y, x, "full", "fft")
    lags = correlation_lags(len(y), len(x), "full")
    near = np.abs(lags) <= MOST_S * RATE_HZ
    return float(lags[near][found[near].argmax()] / RATE_HZ)


def _samples(path: Path) -> np.ndarray:
    """Mono float32 (N,) from container time 0 on, zeros where nothing was recorded."""
    out = np.zeros(round(FIRST_S * RATE_HZ), np.float32)
    end = 0
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    try:
        with av.open(str(path)) as container:
            if container.streams.best("audio") is None:
                return out[:0]
            at = None
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
        raise MediaError(f"{path}: its sound cannot be read ({error}). Copy it again.") from None
    return out[:end]
