"""Estimate the lag between the sounds of two files by cross-correlation."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.signal import correlate, correlation_lags

from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import write_text
from avfusion.media.audio import Sound
from avfusion.media.probe import Probe

RATE_HZ, FIRST_S, MOST_S = 8000, 120.0, 2.0


File = tuple[Path, str]
"""A file and its SHA-256."""


def lags(pairs: Iterable[tuple[str, File, File]], cache: Path) -> dict[str, float]:
    """Return name -> `lag_s` of pairs (name, first, second), cached by the code and both SHA-256.

    cache: folder of earlier results.
    """
    by_s, code = {}, fingerprint(__name__)
    for name, (first, digest), (second, other) in pairs:
        kept = cache / code / f"{digest}-{other}.txt"
        if not kept.is_file():
            write_text(kept, f"{lag_s(first, second)}\n")
        by_s[name] = float(kept.read_text())
    return by_s


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
    out, last = np.zeros(round(FIRST_S * RATE_HZ), np.float32), 0
    file = Probe(path, np.zeros(1), FIRST_S, 0.0, False, 1, (), complete=False)
    for start, samples in Sound(file, RATE_HZ):
        last = min(start + len(samples), len(out))
        out[start:last] = samples[: last - start]
    return out[:last]
