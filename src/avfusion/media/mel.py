"""Log-mel spectrogram of a streamed sound, equal to that of the complete signal.

Row i is the natural logarithm of (mel power + 1e-6) of a Hann window centred on `i * hop` of the
video's time. It is NaN where no sound was recorded: before its start, after its end, in a gap, or
everywhere if there is no track. Outside the recorded sound, a window contains zeros. It is computed
from the sound of a record when an encoder asks for it, so each encoder has its own shape.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from threading import Lock

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

from avfusion.config.spectra import hop_fault
from avfusion.errors import ConfigError
from avfusion.media.audio import Piece
from avfusion.media.store import MediaRecord

FLOOR = 1e-6


BANDS, WINDOW_S, HOP_S = 64, 0.025, 0.01
"""The usual shape: 64 bands, a window of 25 ms every 10 ms."""


_BLOCK_ROWS = 1000

IN_MEMORY = 8 << 20
"""Bytes of a log-mel that are kept in memory: 10 minutes of the usual shape."""


@dataclass(frozen=True)
class MelShape:
    """Dimensions of the spectrogram; `window` and `hop` in samples."""

    rate_hz: int
    bands: int
    window: int
    hop: int

    @classmethod
    def of(
        cls,
        rate_hz: int,
        bands: int = BANDS,
        window_s: float = WINDOW_S,
        hop_s: float = HOP_S,
    ) -> "MelShape":
        """Convert seconds to samples.

        Raises
        ------
        ConfigError
            If the hop is not a whole number of samples.
        """
        if fault := hop_fault(hop_s, rate_hz):
            raise ConfigError(f"hop_s: {fault}")
        return cls(rate_hz, bands, max(1, round(window_s * rate_hz)), round(hop_s * rate_hz))

    @property
    def hop_s(self) -> float:
        """Spacing of the rows in seconds; row i is centred on `i * hop_s`."""
        return self.hop / self.rate_hz

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


class Spectra:
    """The log-mel of one record; a long one waits in a temporary file and not in memory.

    Attributes
    ----------
    heard
        Which rows (N,) have recorded sound.
    mean
        Mean of each band over these rows, float32 (bands,); 0 without any.
    """

    def __init__(self, blocks: Iterable[np.ndarray], bands: int) -> None:
        self._bands = bands
        self._lock = Lock()  # a thread reads ahead
        # A short one stays in memory; the file is gone when this object is.
        self._file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        heard, total = [], np.zeros(bands, np.float32)
        for block in blocks:
            part = block.astype(np.float16)
            known = ~np.isnan(part[:, 0])
            self._file.write(part.tobytes())
            heard.append(known)
            total = np.add.reduce(np.vstack([total, part[known].astype(np.float32)]))
        self.heard = np.concatenate(heard) if heard else np.zeros(0, bool)
        self.mean = (total / max(int(self.heard.sum()), 1)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.heard)

    def rows(self, first: int, stop: int) -> np.ndarray:
        """Return the rows [first, stop), float16 (n, bands), NaN where no sound is recorded."""
        size = 2 * self._bands
        with self._lock:
            self._file.seek(first * size)
            raw = self._file.read((stop - first) * size)
        return np.frombuffer(raw, np.float16).reshape(-1, self._bands)


def log_mel_of(record: MediaRecord, shape: MelShape | None = None) -> np.ndarray:
    """Return the complete log-mel of a record's sound, float16 (N, bands); see `spectra_of`.

    It is NaN where no sound is recorded.
    """
    spectra = spectra_of(record, shape)
    return spectra.rows(0, len(spectra))


def spectra_of(record: MediaRecord, shape: MelShape | None = None) -> Spectra:
    """Return the log-mel of a record's sound, computed once per record and shape.

    Parameters
    ----------
    record
        The media of one video.
    shape
        Bands, window and hop, at the rate of the record's sound; by default the usual shape.

    Returns
    -------
    Spectra
        Natural logarithm of (mel power + 1e-6).
    """
    shape = shape or MelShape.of(record.sound_hz)
    if shape.rate_hz != record.sound_hz:
        raise ValueError(f"a shape at {shape.rate_hz} Hz for sound at {record.sound_hz} Hz")
    if shape not in record.derived:
        blocks = log_mel(record.pieces(), shape.rows(record.duration_s), shape)
        record.derived[shape] = Spectra(blocks, shape.bands)
    made: Spectra = record.derived[shape]
    return made


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
