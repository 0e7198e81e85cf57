"""Write and read the sound of a record: 16-bit mono samples, without the time between recordings.

`sound.npy` is int16 (N,), the recorded samples one after the other. The record's meta holds their
`spans`, pairs of the first sample on the video's timeline (sample 0 is at time 0) and the number of
samples. A gap, and the time before and after the sound, therefore need no space and are known.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.media.audio import Piece

STEPS = 1 << 15
"""Sample values per unit of amplitude, at scale 1."""


MARGIN_S = 1.0
"""Sound that is kept before and after the pictures, for windows that reach beyond them."""


_BLOCK = 1 << 16


_ZEROS = 16  # zero crossings of the resampling filter on each side


class SoundWriter:
    """Writer of one sound in constant memory.

    Parameters
    ----------
    path
        The file.
    rate_hz
        Sampling rate.
    scale
        Largest value that can be stored.
    """

    def __init__(self, path: Path, rate_hz: int, scale: float = 1.0) -> None:
        self.path, self.rate_hz, self.scale = path, rate_hz, scale
        self._spans: list[list[int]] = []
        self._peak, self._energy, self._clipped, self._count = 0.0, 0.0, 0, 0
        self._held: list[np.ndarray] = []
        self._file = path.open("wb")
        self._head = self._header()

    def add(self, start: int, samples: np.ndarray) -> None:
        """Append samples float32 (n,) from `start` on, which must not precede the last ones."""
        if not len(samples):
            return
        if self._spans and start == sum(self._spans[-1]):
            self._spans[-1][1] += len(samples)
        elif self._spans and start < sum(self._spans[-1]):
            raise ValueError(f"{self.path}: sample {start} precedes {sum(self._spans[-1])}.")
        else:
            self._spans.append([start, len(samples)])
        self._held.append(samples)
        self._count += len(samples)
        if sum(map(len, self._held)) >= _BLOCK:
            self._flush()

    def _flush(self) -> None:
        """Write the samples that are held; one block costs less than many small pieces."""
        samples = np.concatenate([np.zeros(0, np.float32), *self._held])
        self._held.clear()
        steps = np.rint(samples * np.float32(STEPS / self.scale))
        self._clipped += int(np.count_nonzero((steps >= STEPS - 1) | (steps <= -STEPS)))
        self._file.write(steps.clip(-STEPS, STEPS - 1).astype("<i2").tobytes())
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0.0)))
        self._energy += float(np.square(samples, dtype=np.float64).sum())

    def close(self) -> dict[str, Any]:
        """Complete the file and return its description for the meta of the record."""
        self._flush()
        self._file.seek(0)
        if self._header() != self._head:
            raise ValueError(f"{self.path}: its header does not fit {self._count} samples.")
        self._file.close()
        count = max(1, self._count)
        return {
            "file": self.path.name,
            "rate_hz": self.rate_hz,
            "scale": self.scale,
            "spans": self._spans,
            "peak_db": _db(self._peak),
            "rms_db": _db(math.sqrt(self._energy / count)),
            "clipped_share": self._clipped / count,
        }

    def _header(self) -> int:
        """Write the header of the present length; NumPy leaves space in it for a longer one."""
        shape = {"descr": "<i2", "fortran_order": False, "shape": (self._count,)}
        np.lib.format.write_array_header_1_0(self._file, shape)
        return self._file.tell()


class SpanSound:
    """Sound of some spans, to read by place and at any rate.

    Parameters
    ----------
    rate_hz
        Sampling rate.
    spans
        First sample on the video's timeline and number of samples of each span, int64 (k, 2).
    """

    def __init__(self, rate_hz: int, spans: np.ndarray) -> None:
        self.rate_hz, self.spans = rate_hz, spans
        self._places = np.concatenate([[0], np.cumsum(spans[:, 1])])

    def pieces(self) -> Iterator[Piece]:
        """Yield the recorded samples in order, float32."""
        for (start, count), place in zip(self.spans.tolist(), self._places.tolist(), strict=False):
            for begin in range(0, count, _BLOCK):
                end = min(count, begin + _BLOCK)
                yield start + begin, self._float(place + begin, place + end)

    def read(self, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Return samples [begin, end) float32, zero where nothing is recorded, and where it is."""
        count = max(0, end - begin)
        samples, recorded = np.zeros(count, np.float32), np.zeros(count, bool)
        ends = self.spans.sum(axis=1)
        for row in range(int(np.searchsorted(ends, begin, "right")), len(self.spans)):
            start, stop = int(self.spans[row, 0]), int(ends[row])
            if start >= end:
                break
            low, high = max(start, begin), min(stop, end)
            place = int(self._places[row]) - start
            samples[low - begin : high - begin] = self._float(place + low, place + high)
            recorded[low - begin : high - begin] = True
        return samples, recorded

    def at_rate(self, begin: int, end: int, rate_hz: int) -> tuple[np.ndarray, np.ndarray]:
        """Return samples [begin, end) at another rate, resampled with a windowed sinc."""
        if rate_hz == self.rate_hz:
            return self.read(begin, end)
        import torch
        from torchaudio.functional import resample

        common = math.gcd(rate_hz, self.rate_hz)
        up, down = rate_hz // common, self.rate_hz // common
        # Start at a sample that both rates have, a filter's length before the first.
        width = -(-(_ZEROS + 1) * self.rate_hz // min(rate_hz, self.rate_hz))
        reach = -(-width // down) + 1
        first, last = begin // up - reach, -(-end // up) + reach
        source, _ = self.read(first * down, last * down)
        with torch.inference_mode():
            signal = torch.from_numpy(source)
            made = resample(signal, self.rate_hz, rate_hz, lowpass_filter_width=_ZEROS).numpy()
        samples = made[begin - first * up : end - first * up]
        nearest = np.arange(begin, end) * self.rate_hz // rate_hz
        low = int(nearest[0]) if len(nearest) else 0
        _, known = self.read(low, int(nearest[-1]) + 1 if len(nearest) else 0)
        return np.where(known[nearest - low], samples, np.float32(0)), known[nearest - low]

    def _float(self, begin: int, end: int) -> np.ndarray:
        """Return samples [begin, end) of all spans one after the other, float32."""
        raise NotImplementedError


class StoredSound(SpanSound):
    """The sound of a record, memory-mapped.

    Parameters
    ----------
    folder
        Folder of the record.
    about
        What `SoundWriter.close` returned.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        spans = np.array(about["spans"], np.int64).reshape(-1, 2)
        super().__init__(int(about["rate_hz"]), spans)
        self.path = folder / about["file"]
        self.scale = float(about["scale"])

    @property
    def samples(self) -> np.ndarray:
        """Recorded samples int16 (N,), mapped again, so that pages that were read are given back.

        Raises
        ------
        ValueError
            If the file does not hold the samples that the spans promise.
        """
        samples = np.load(self.path, mmap_mode="r", allow_pickle=False)
        if samples.shape != (self._places[-1],) or samples.dtype != np.int16:
            raise ValueError(f"{samples.dtype} {samples.shape}, expected int16 {self._places[-1]}")
        return np.asarray(samples)

    def _float(self, begin: int, end: int) -> np.ndarray:
        return self.samples[begin:end].astype(np.float32) * np.float32(self.scale / STEPS)


class HeldSound(SpanSound):
    """Sound in memory."""

    def __init__(self, pieces: Iterable[Piece], rate_hz: int) -> None:
        held = list(pieces)
        spans = np.array([(start, len(samples)) for start, samples in held], np.int64)
        super().__init__(rate_hz, spans.reshape(-1, 2))
        self._samples = np.concatenate([np.zeros(0, np.float32), *(x for _, x in held)])

    def _float(self, begin: int, end: int) -> np.ndarray:
        return self._samples[begin:end]


def within(pieces: Iterable[Piece], begin: int, end: int) -> Iterator[Piece]:
    """Yield the parts of pieces inside [begin, end); all pieces are read."""
    for start, samples in pieces:
        low, high = max(start, begin), min(start + len(samples), end)
        if low < high:
            yield low, samples[low - start : high - start]


def _db(value: float) -> float | None:
    """Return an amplitude in dB of full scale, None for silence."""
    return round(20 * math.log10(value), 2) if value > 0 else None
