"""Base of the papers' audio encoders: a spectrogram of the sound that ends with a clip."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.ahead import RowsAhead
from avfusion.encoders.published import PublishedEncoder
from avfusion.encoders.sound_chunks import heard, low_rate
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord

CHUNK = 64
"""Number of clips that are read at a time."""


class SoundEncoder(PublishedEncoder, RowsAhead):
    """Base of encoders of the last `samples` samples before the end of a clip, at `rate_hz`.

    A subclass sets both and implements `spectra`. What is not recorded is silence. A row is NaN if
    no sound is recorded in the clip itself.
    """

    modality = "audio"
    rate_hz: int
    samples: int

    def spectra(self, waveforms: Tensor) -> Tensor:
        """Return the inputs of the network of waveforms float32 (N, samples)."""
        raise NotImplementedError

    def preprocessing(self) -> dict[str, Any]:
        """Return rate and length of the sound, and the shape of its spectrogram."""
        shape = self.spectra(torch.zeros(1, self.samples)).shape[1:]
        return {"rate_hz": self.rate_hz, "samples": self.samples, "spectrogram": list(shape)}

    def instants(self, record: MediaRecord, settings: EncoderSettings) -> np.ndarray:
        """Return the ends of the clips to fit on, `fit_hz` per second, of clips with sound."""
        ends_s = clip_ends(record.duration_s, 1 / self.fit_hz)
        return ends_s[heard(record, ends_s, settings.windows.clip_s)]

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor:
        """Return the spectrograms that end at these times, (N, ...)."""
        return torch.cat([part for _, part in self._parts(record, times_s)])

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return the inputs; the papers change no sound."""
        return inputs

    def read(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield clips with sound (B,) and their spectrograms (B, ...)."""
        rows = np.flatnonzero(heard(record, ends_s, clip_s))
        for begin, part in self._parts(record, ends_s[rows]):
            yield rows[begin : begin + len(part)], part

    def remark(self, record: MediaRecord) -> str | None:
        """Return a note on sound that is stored at a lower rate."""
        return low_rate(record, self.rate_hz)

    def _parts(self, record: MediaRecord, ends_s: np.ndarray) -> Iterator[tuple[int, Tensor]]:
        """Yield the place of the first and the inputs of some clips."""
        for begin in range(0, len(ends_s), CHUNK):
            waves = [self._waveform(record, end_s) for end_s in ends_s[begin : begin + CHUNK]]
            yield begin, self.spectra(torch.from_numpy(np.stack(waves)))

    def _waveform(self, record: MediaRecord, end_s: float) -> np.ndarray:
        """Return the samples (samples,) before a time, 0 where nothing is recorded."""
        end = round(end_s * self.rate_hz)
        begin_s = (end - self.samples) / self.rate_hz
        return record.waveform(begin_s, end / self.rate_hz, self.rate_hz)[0]
