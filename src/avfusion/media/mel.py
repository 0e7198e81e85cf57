"""Log-mel spectrogram of a streamed sound, equal to that of the complete signal.

Row i is the natural logarithm of (mel power + 1e-6) of a Hann window centred on `i * hop` of the
video's time. It is NaN where no sound was recorded: before its start, after its end, in a gap, or
everywhere if there is no track. Outside the recorded sound, a window contains zeros.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

from avfusion.config.sections import SignalSettings
from avfusion.errors import ConfigError
from avfusion.media.audio import Piece

FLOOR = 1e-6


_BLOCK_ROWS = 1000


@dataclass(frozen=True)
class MelShape:
    """Dimensions of the spectrogram; `window` and `hop` in samples."""

    rate_hz: int
    bands: int
    window: int
    hop: int

    @classmethod
    def of(cls, settings: SignalSettings) -> "MelShape":
        """Convert settings to samples.

        Raises
        ------
        ConfigError
            If the hop is not a whole number of samples.
        """
        rate_hz, hop_s = settings.sample_rate_hz, settings.mel_hop_s
        hop = round(hop_s * rate_hz)
        if hop < 1 or abs(hop_s * rate_hz - hop) > 1e-6:
            raise ConfigError(
                f"media.mel_hop_s: {hop_s} s is {hop_s * rate_hz:g} samples at {rate_hz} Hz. "
                f"Choose a whole number of samples, such as {max(1, hop) / rate_hz:g} s."
            )
        return cls(rate_hz, settings.mel_bands, round(settings.mel_window_s * rate_hz), hop)

    @property
    def n_fft(self) -> int:
        """The next power of two above the window, so that the lowest bands contain a bin."""
        return 1 << (self.window - 1).bit_length()

    def rows(self, duration_s: float) -> int:
        """Return the number of rows with a centre in the video."""
        return int(duration_s * self.rate_hz / self.hop + 1e-9) + 1

    def transform(self, center: bool = False) -> MelSpectrogram:
        """Return the transform of samples (N,) to mel power (bands, rows)."""
        return MelSpectrogram(
            *(self.rate_hz, self.n_fft, self.window, self.hop),
            n_mels=self.bands,
            center=center,
            pad_mode="constant",
        )


def log_mel(pieces: Iterable[Piece], rows: int, shape: MelShape) -> Iterator[np.ndarray]:
    """Yield blocks (n, bands) float32 of `rows` rows; `pieces` must ascend and not overlap."""
    transform, timeline, reach = shape.transform(), _Timeline(pieces), shape.n_fft // 2
    for first in range(0, rows, _BLOCK_ROWS):
        count = min(_BLOCK_ROWS, rows - first)
        begin, end = first * shape.hop - reach, (first + count - 1) * shape.hop + reach
        signal, recorded = timeline.take(begin, end)
        with torch.inference_mode():
            power = transform(torch.from_numpy(signal)).T.numpy()  # (count, bands)
        block = np.log(power + np.float32(FLOOR))
        block[~recorded[reach :: shape.hop][:count]] = np.nan
        yield block
    timeline.drain()


class _Timeline:
    """Cuts ascending spans out of streamed pieces; keeps only what a later span can need."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = iter(pieces)
        self._held: list[Piece] = []

    def take(self, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Return samples [begin, end), zero where nothing was recorded, and the recorded mask."""
        self._held = [(at, x) for at, x in self._held if at + len(x) > begin]
        while not self._held or self._held[-1][0] < end:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held.append(piece)
        signal, recorded = np.zeros(end - begin, np.float32), np.zeros(end - begin, bool)
        for at, samples in self._held:
            low, high = max(at, begin), min(at + len(samples), end)
            if low < high:
                signal[low - begin : high - begin] = samples[low - at : high - at]
                recorded[low - begin : high - begin] = True
        return signal, recorded

    def drain(self) -> None:
        """Read to the end, so that the warnings of the sound are complete."""
        for _ in self._pieces:
            pass
