"""Small network on log-mel patches, fitted to the corpus' own gold, then frozen.

A patch ends at the clip's end and reaches back `context_s`, longer than the clip itself, because
prosody (the course of pitch and loudness) is not visible in 0.64 s. Later sound reaches it only
through the last spectrum's half window (12.5 ms) and the video's mean, below.
Each band's mean over the video is taken off (cepstral mean normalisation, Atal 1974), so that the
network hears how a voice changes and not whose it is; `at_rest: false` leaves it. Bands are then
standardised by the train partition's mean and deviation, which are kept with the weights. Rows
without audio count as silence, the log's floor.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avfusion.encoders.fitting import FittedEncoder, Recipe
from avfusion.media.clips import clip_ends, clip_spans
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.schemas import SLACK_S
from avfusion.training import device

CHUNK = 64


SILENCE = math.log(1e-6)
"""The least value of the media stage's ln(power + 1e-6)."""


@encoders.add("mel_cnn")
class MelCnn(FittedEncoder):
    """`dim` numbers in (-1, 1) a clip, from `context_s` of sound up to its end."""

    modality = "audio"

    def __init__(
        self,
        *,
        dim: int = 64,
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
        self.recipe = Recipe(epochs, batch, lr, 1e-2, patience=epochs, most=most, seed=seed)

    def new_net(self, own: dict[str, Any]) -> nn.Module:
        """A network with fresh weights."""
        return _Net(self.dim, own["media"]["mel_bands"], self.outputs)

    def instants(self, record: MediaRecord, own: dict[str, Any]) -> np.ndarray:
        """Ends of the patches to fit on, `fit_hz` a second, where the last clip_s holds audio."""
        ends_s = clip_ends(record.duration_s, 1 / self.fit_hz)
        return ends_s[self._heard(record, ends_s, own["windows"]["clip_s"])]

    def inputs(self, record: MediaRecord, times_s: np.ndarray) -> Tensor:
        """Patches float16 (N, rows, bands) that end at these times."""
        rows = round(self.context_s / record.mel_hop_s)
        last = np.floor((times_s + SLACK_S) / record.mel_hop_s).astype(int)  # newest row heard
        wanted = last[:, None] + np.arange(1 - rows, 1)  # (N, rows)
        inside = (wanted >= 0) & (wanted < len(record.logmel))
        patches = record.logmel[wanted.clip(0, len(record.logmel) - 1)]  # (N, rows, bands)
        silent = ~inside[..., None] | np.isnan(patches)
        patches = np.where(silent, np.float16(SILENCE), patches)
        return torch.from_numpy(patches - self._rest(record).astype(np.float16))

    def _rest(self, record: MediaRecord) -> np.ndarray:
        """Each band's mean (bands,) where there is audio; 0 if not asked for."""
        heard = ~np.isnan(record.logmel[:, 0])
        if not (self.at_rest and heard.any()):
            return np.zeros(record.logmel.shape[1], np.float32)
        return record.logmel[heard].mean(axis=0, dtype=np.float32)

    def prepare(self, net: nn.Module, train: Tensor) -> None:
        """Keep each band's mean and deviation over the train patches."""
        net.mean.copy_(train.mean((0, 1), dtype=torch.float32))
        spread = [train[..., band].float().std() for band in range(train.shape[-1])]
        net.deviation.copy_(torch.stack(spread))

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Another voice (bands moved by up to 3) and level (2 dB); a stripe of bands and one of
        time muted (as SpecAugment, Park et al. 2019)."""
        count, rows, bands = inputs.shape
        moved = torch.randint(-3, 4, (count, 1), generator=generator)
        source = (torch.arange(bands) + moved).clamp(0, bands - 1)  # (B, bands)
        x = inputs.float().gather(2, source[:, None].expand(-1, rows, -1))
        gain = (torch.rand(count, 1, 1, generator=generator) * 2 - 1) * 0.2 * math.log(10)
        low = x.amin()  # the quietest there is counts as silence
        x = (x + gain).clamp(min=low)
        for axis, size in ((1, rows), (2, bands)):
            width = torch.rand(count, 1, generator=generator) * size / 8
            begin = torch.rand(count, 1, generator=generator) * size
            place = torch.arange(size)
            stripe = (place >= begin) & (place < begin + width)  # (B, size)
            x = x.masked_fill(stripe[:, :, None] if axis == 1 else stripe[:, None], low)
        return x

    def encode(self, record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Embedding of the patch up to each clip's end: float32 (N, D), NaN without audio."""
        out = np.full((len(ends_s), self.dim), np.nan, np.float32)
        heard = np.flatnonzero(self._heard(record, ends_s, clip_s))
        with torch.inference_mode():
            for begin in range(0, len(heard), CHUNK):
                chosen = heard[begin : begin + CHUNK]
                patches = device.moved(self.inputs(record, ends_s[chosen]), device.of(self.net))
                out[chosen] = self.net(patches)[0].cpu().numpy()
        return out

    @staticmethod
    def _heard(record: MediaRecord, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Whether any row of the clip (end - clip_s, end] has audio: bool (N,)."""
        audio = ~np.isnan(record.logmel[:, 0])
        times_s = np.arange(len(audio)) * record.mel_hop_s
        first, last = clip_spans(times_s, ends_s, clip_s)
        total = np.concatenate([[0], np.cumsum(audio)])
        return total[last] > total[first]


class _Net(nn.Module):
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
        """Patches (B, rows, bands) to embeddings (B, D) and targets (B, K)."""
        x = (patches.float() - self.mean) / (self.deviation + 1e-3)
        x = self.listen(x[:, None])  # (B, 64, rows / 16, bands / 16)
        newest = x[:, :, -(x.shape[2] // 4) :]
        x = torch.cat([newest.mean(2), x.mean(2), x.std(2)], 1)  # now, level, movement
        embedding = self.embed(x.flatten(1))
        return embedding, self.rate(embedding)
