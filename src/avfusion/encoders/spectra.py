"""Spectrograms of the papers' audio networks, from the waveform of a clip.

Each function takes waveforms float32 (N, samples) and returns float32. All mel scales are that of
HTK, m = 2595 log10(1 + f / 700). Sums are in double precision, because the logarithm of a quiet
band amplifies their rounding.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

VGGISH_HZ, VGGISH_SAMPLES = 16_000, 15_600
"""A patch of 96 frames of 25 ms every 10 ms is 0.975 s."""


SPEAKER_HZ, SPEAKER_SAMPLES = 16_000, 16_240
"""1.015 s, 102 columns."""


TWO_STREAM_HZ = 44_100
TWO_STREAM_MEAN, TWO_STREAM_DEVIATION = -14.8, 19.895
TOP_DB = 80.0


CA_HZ, CA_SAMPLES = 16_000, 10_240
"""0.64 s, 65 columns."""


def vggish(waveforms: Tensor) -> Tensor:
    """Return log-mel patches (N, 96, 64) of waveforms (N, 15600) at 16 kHz.

    Source: Hershey et al., ICASSP 2017, section 3.1, with the constants of the public release: 64
    bands from 125 to 7500 Hz over magnitudes of a Fourier transform of 512 points, a periodic Hann
    window, and ln(x + 0.01). Frames are not centred, and triangles are straight in mel.
    """
    frames = waveforms.double().unfold(1, 400, 160)  # (N, 96, 400)
    window = torch.hann_window(400, dtype=torch.float64)
    magnitude = torch.fft.rfft(frames * window, 512).abs()  # (N, 96, 257)
    return torch.log(magnitude @ torch.from_numpy(vggish_bands()) + 0.01).float()


@cache
def vggish_bands() -> np.ndarray:
    """Return the weights of 257 bins in 64 bands, float64 (257, 64)."""
    bins = _mel(np.linspace(0, VGGISH_HZ / 2, 257))
    edges = np.linspace(_mel(125.0), _mel(7500.0), 64 + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins[:, None] - lower) / (centre - lower)
    fall = (upper - bins[:, None]) / (upper - centre)
    weights = np.maximum(0, np.minimum(rise, fall))
    weights[0] = 0  # the public release leaves out the constant part
    return weights


def speaker(waveforms: Tensor) -> Tensor:
    """Return log-mel bands (N, 102, 80) of waveforms (N, 16240) at 16 kHz, with mean 0 over time.

    Source: the constants of SpeechBrain's public ECAPA-TDNN: 80 bands from 0 to 8000 Hz of power,
    triangles straight in Hz whose sides both have the width below their centre, windows of 400
    samples (Hamming) every 160, frames centred on their times, decibels at most 80 below the
    clip's maximum.
    """
    frames = torch.nn.functional.pad(waveforms.double(), (200, 200)).unfold(1, 400, 160)
    window = torch.hamming_window(400, dtype=torch.float64)
    power = torch.fft.rfft(frames * window, 400).abs().square()  # (N, columns, 201)
    level = 10 * torch.log10((power @ torch.from_numpy(speaker_bands())).clamp(min=1e-10))
    level = level.maximum(level.amax(dim=(1, 2), keepdim=True) - TOP_DB)
    return (level - level.mean(dim=1, keepdim=True)).float()


@cache
def speaker_bands() -> np.ndarray:
    """Return the weights of 201 bins in 80 bands, float64 (201, 80)."""
    mels = np.linspace(0, 2595 * np.log10(1 + SPEAKER_HZ / 2 / 700), 80 + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = np.linspace(0, SPEAKER_HZ / 2, 201)[:, None]
    slope = (bins - edges[1:-1]) / np.diff(edges)[:-1]
    weights: np.ndarray = np.maximum(0, np.minimum(1 + slope, 1 - slope))
    return weights


def two_stream(waveforms: Tensor) -> Tensor:
    """Return standardised mel levels (N, 64, columns) of waveforms at 44.1 kHz.

    Source: Kuhnke et al., FG 2020, and the code of T-BIOM, RJCA and DCA: 64 bands of power, window
    882, hop 441, Fourier transform of 1024 points; decibels, at most 80 below the clip's maximum;
    (x + 14.8) / 19.895.
    """
    mel = _power(waveforms, 1024, 882, 441, 64, TWO_STREAM_HZ)
    level = 10 * torch.log10(mel.clamp(min=1e-10))
    level = level.maximum(level.amax((1, 2), keepdim=True) - TOP_DB)
    return ((level - TWO_STREAM_MEAN) / TWO_STREAM_DEVIATION).float()


def ca(waveforms: Tensor) -> Tensor:
    """Return scaled mel spectrograms (N, 128, 65) of waveforms (N, 10240) at 16 kHz.

    Source: code of Praveen et al., FG 2021: 128 bands of power, window 400, hop 160, Fourier
    transform of 1024 points, divided by the norm of the window; log2, with 1e-19 for 0. Each
    spectrogram has mean 0 and deviation 1, is divided by its maximum, doubled and lowered by 1.
    """
    mel = _power(waveforms, 1024, 400, 160, 128, CA_HZ)
    mel = mel / torch.hann_window(400, dtype=torch.float64).square().sum()
    level = torch.log2(torch.where(mel == 0, 1e-19, mel))
    level = level - level.mean((1, 2), keepdim=True)
    level = level / level.square().mean((1, 2), keepdim=True).sqrt().clamp(min=1e-8)
    return (2 * level / level.amax((1, 2), keepdim=True).clamp(min=1e-8) - 1).float()


def _power(waveforms: Tensor, n_fft: int, window: int, hop: int, bands: int, hz: int) -> Tensor:
    """Return mel power float64 (N, bands, columns) of centred frames under a Hann window."""
    shape = torch.hann_window(window, dtype=torch.float64)
    spectrum = torch.stft(
        waveforms.double(), n_fft, hop, window, shape, pad_mode="reflect", return_complex=True
    )
    return torch.from_numpy(_bands(n_fft, bands, hz)) @ spectrum.abs().square()


@cache
def _bands(n_fft: int, bands: int, hz: int) -> np.ndarray:
    """Return triangles that are straight in hertz, float64 (bands, bins), from 0 to hz / 2."""
    bins = np.linspace(0, hz / 2, n_fft // 2 + 1)
    edges = 700 * np.expm1(np.linspace(0, _mel(hz / 2), bands + 2) / 1127.0)
    lower, centre, upper = (e[:, None] for e in (edges[:-2], edges[1:-1], edges[2:]))
    rise, fall = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    return np.maximum(0, np.minimum(rise, fall))


def _mel(hz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hz) / 700)
