"""Small convolutional network on log-mel patches, fitted to the corpus' gold, then frozen.

A patch ends at the clip's end and covers `context_s`, which is longer than the clip, because
prosody (the course of pitch and loudness) is not visible in 0.64 s. Later sound enters only
through half the window of the last spectrum (12.5 ms) and through the video's mean.
Each band's mean over the video is subtracted (cepstral mean normalisation, Atal 1974), so that the
network hears changes of a voice and not its identity; `at_rest: false` does not subtract it. Bands
are then standardised by the train partition's mean and deviation, which are stored with the
weights. Rows without audio count as silence, the floor of the logarithm.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.config.contexts import Span
from avfusion.config.jobs import EncoderSettings
from avfusion.encoders.ahead import RowsAhead
from avfusion.encoders.fitting import FittedEncoder
from avfusion.encoders.recipe import Recipe
from avfusion.media import mel
from avfusion.media.clips import clip_ends, clip_spans
from avfusion.media.mel import MelShape, Spectra, spectra_of
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.schemas import SLACK_S
from avfusion.training import device

CHUNK = 64


SILENCE = math.log(mel.FLOOR)
"""The smallest value of ln(power + 1e-6)."""


@encoders.add("mel_cnn")
class MelCnn(FittedEncoder, RowsAhead):
    """`dim` numbers in (-1, 1) per clip, from the `context_s` of sound before its end.

    The spectrogram has `bands` mel bands, a window of `window_s` and a row every `hop_s`.
    """

    modality = "audio"
    context_before: ClassVar[Span] = {"context_s": 1, "window_s": 1}
    context_after: ClassVar[Span] = {"window_s": 1}

    def __init__(
        self,
        *,
        dim: int = 64,
        bands: int = 64,
        window_s: float = 0.025,
        hop_s: float = 0.01,
        context_s: float = 2.56,
        fit_hz: float = 3.125,
        epochs: int = 14,
        batch: int = 64,
        lr: float = 1e-3,
        most: int = 40_000,
        at_rest: bool = True,
        seed: int = 0,
    ) -> None:
        self.dim, self.context_s, self.fit_hz, self.at_rest = dim, context_s, fit_hz, at_rest
        self.bands, self.window_s, self.hop_s = bands, window_s, hop_s
        self.recipe = Recipe(epochs, batch, lr, 1e-2, patience=epochs, most=most, seed=seed)

    def new_net(self, settings: EncoderSettings) -> nn.Module:
        """Return a network with new weights."""
        return _Net(self.dim, self.bands, self.outputs)

    def spectra(self, record: MediaRecord) -> Spectra:
        """Return the log-mel spectrogram of a video with this shape."""
        shape = MelShape.of(record.sound_hz, self.bands, self.window_s, self.hop_s)
        return spectra_of(record, shape)

    def instants(self, record: MediaRecord, settings: EncoderSettings) -> np.ndarray:
        """Return the ends of the patches to fit on, `fit_hz` per second, of clips with audio."""
        ends_s = clip_ends(record.duration_s, 1 / self.fit_hz)
        return ends_s[self._heard(record, ends_s, settings.windows.clip_s)]

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor:
        """Return patches float16 (N, rows, bands) that end at these times."""
        spectra = self.spectra(record)
        rows = round(self.context_s / self.hop_s)
        last = np.floor((times_s + SLACK_S) / self.hop_s).astype(int)  # newest row
        patches = np.full((len(last), rows, self.bands), np.nan, np.float16)
        for patch, stop in zip(patches, last + 1, strict=True):
            begin, end = max(stop - rows, 0), min(stop, len(spectra))
            if begin < end:
                patch[begin - stop + rows : end - stop + rows] = spectra.rows(begin, end)
        silent = np.isnan(patches)
        patches = np.where(silent, np.float16(SILENCE), patches)
        return torch.from_numpy(patches - self._rest(spectra).astype(np.float16))

    def _rest(self, spectra: Spectra) -> np.ndarray:
        """Return each band's mean (bands,) where there is audio; 0 without `at_rest`."""
        return spectra.mean if self.at_rest else np.zeros(self.bands, np.float32)

    def prepare(self, net: nn.Module, train: Tensor) -> None:
        """Store each band's mean and deviation over the train patches in the network."""
        assert isinstance(net, _Net)
        net.mean.copy_(train.mean((0, 1), dtype=torch.float32))
        spread = [train[..., band].float().std() for band in range(train.shape[-1])]
        net.deviation.copy_(torch.stack(spread))

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Shift bands by up to 3 and the level by up to 2 dB; mute a stripe of bands and of time.

        The muting is that of SpecAugment (Park et al. 2019).
        """
        count, rows, bands = inputs.shape
        moved = torch.randint(-3, 4, (count, 1), generator=generator)
        source = (torch.arange(bands) + moved).clamp(0, bands - 1)  # (B, bands)
        x = inputs.float().gather(2, source[:, None].expand(-1, rows, -1))
        gain = (torch.rand(count, 1, 1, generator=generator) * 2 - 1) * 0.2 * math.log(10)
        low = x.amin()  # the quietest value of the batch counts as silence
        x = (x + gain).clamp(min=low)
        for axis, size in ((1, rows), (2, bands)):
            width = torch.rand(count, 1, generator=generator) * size / 8
            begin = torch.rand(count, 1, generator=generator) * size
            place = torch.arange(size)
            stripe = (place >= begin) & (place < begin + width)  # (B, size)
            x = x.masked_fill(stripe[:, :, None] if axis == 1 else stripe[:, None], low)
        return x

    def read(
        self, record: MediaRecord, ends_s: np.ndarray, clip_s: float
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Yield clips with audio (B,) and their patches (B, rows, bands)."""
        heard = np.flatnonzero(self._heard(record, ends_s, clip_s))
        for begin in range(0, len(heard), CHUNK):
            chosen = heard[begin : begin + CHUNK]
            yield chosen, self.inputs(record, ends_s[chosen])

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the embeddings (B, D) of patches (B, rows, bands), on the CPU."""
        embedded: Tensor = self.net(device.moved(inputs, device.of(self.net)))[0].cpu()
        return embedded

    def _heard(self, record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return whether any row of the clip (end - clip_s, end] has audio, bool (N,)."""
        audio = self.spectra(record).heard
        times_s = np.arange(len(audio)) * self.hop_s
        first, last = clip_spans(times_s, ends_s, clip_s)
        total = np.concatenate([[0], np.cumsum(audio)])
        return total[last] > total[first]


class _Net(nn.Module):
    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int, bands: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))
        widths = (1, 12, 24, 48, 64)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):  # 256x64 -> 16x4
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after)]
            layers += [nn.ReLU()]
        self.listen = nn.Sequential(*layers)
        self.embed = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(3 * 64 * math.ceil(bands / 16), dim), nn.Tanh()
        )
        self.rate = nn.Linear(dim, outputs)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Map patches (B, rows, bands) to embeddings (B, D) and targets (B, K)."""
        x = (patches.float() - self.mean) / (self.deviation + 1e-3)
        x = self.listen(x[:, None])  # (B, 64, rows / 16, bands / 16)
        newest = x[:, :, -(x.shape[2] // 4) :]
        x = torch.cat([newest.mean(2), x.mean(2), x.std(2)], 1)  # now, level, movement
        embedding = self.embed(x.flatten(1))
        return embedding, self.rate(embedding)
