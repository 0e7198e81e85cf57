"""Preprocessing of the papers' networks against derivations in NumPy, in double precision."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import get_window

from avfusion.encoders import spectra
from avfusion.encoders.backbones.base import pixels
from avfusion.encoders.faces import spread


def waves(samples: int, rate_hz: int) -> np.ndarray:
    """Noise, a chord and a fading tone, (3, samples)."""
    rng = np.random.default_rng(samples)
    t = np.arange(samples) / rate_hz
    chord = sum(np.sin(2 * np.pi * hz * t) for hz in (180, 440, 3000)) / 4
    fading = np.exp(-4 * t) * np.sin(2 * np.pi * 700 * t)
    sound = np.stack([0 * t, chord, fading]) + rng.normal(0, 0.02, (3, samples))
    return sound.astype(np.float32)


def to_mel(hz: float) -> float:
    return 2595 * math.log10(1 + hz / 700)


def to_hz(mel: float) -> float:
    return 700 * (10 ** (mel / 2595) - 1)


def bands_in_hz(rate_hz: int, n_fft: int, bands: int) -> np.ndarray:
    """Triangles over hertz between points that are even in mel, (bins, bands)."""
    bins = np.arange(n_fft // 2 + 1) * rate_hz / n_fft
    points = [to_hz(m) for m in np.linspace(0, to_mel(rate_hz / 2), bands + 2)]
    triangles = [np.interp(bins, points[b : b + 3], [0, 1, 0]) for b in range(bands)]
    return np.stack(triangles, 1)


def power(wave: np.ndarray, n_fft: int, window: np.ndarray, hop: int) -> np.ndarray:
    """Power of centred frames under a window in the middle of n_fft, (bins, columns)."""
    x = np.pad(wave, n_fft // 2, mode="reflect")
    left = (n_fft - len(window)) // 2
    full = np.zeros(n_fft)
    full[left : left + len(window)] = window
    starts = range(0, len(x) - n_fft + 1, hop)
    return np.stack([np.abs(np.fft.rfft(x[s : s + n_fft] * full)) ** 2 for s in starts], 1)


def test_patches_of_vggish():
    given = waves(15_600, 16_000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    edges = np.linspace(to_mel(125), to_mel(7500), 66)
    weights = np.zeros((257, 64))
    for number in range(1, 257):
        mel = to_mel(number * 16_000 / 512)
        for band in range(64):
            low, centre, high = edges[band : band + 3]
            rising, falling = (mel - low) / (centre - low), (high - mel) / (high - centre)
            weights[number, band] = max(0.0, min(rising, falling))
    expected = np.empty((3, 96, 64))
    for row, wave in enumerate(given):
        for frame in range(96):
            part = wave[160 * frame : 160 * frame + 400] * window
            expected[row, frame] = np.log(np.abs(np.fft.rfft(part, 512)) @ weights + 0.01)
    found = spectra.vggish(torch.from_numpy(given))
    assert found.shape == (3, 96, 64)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("samples", "columns"), [(45_599, 104), (47_040, 107)])
def test_levels_of_the_two_stream_network(samples, columns):
    given = waves(samples, 44_100)
    window, bands = get_window("hann", 882), bands_in_hz(44_100, 1024, 64)
    expected = []
    for wave in given:
        level = 10 * np.log10(np.maximum(bands.T @ power(wave, 1024, window, 441), 1e-10))
        expected.append((np.maximum(level, level.max() - 80) + 14.8) / 19.895)
    found = spectra.two_stream(torch.from_numpy(given))
    assert found.shape == (3, 64, columns)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_levels_are_at_most_80_db_apart():
    quiet = torch.zeros(1, 45_599)
    quiet[0, -9000:] = torch.sin(torch.arange(9000) * 0.1)
    found = spectra.two_stream(quiet)
    assert (found.max() - found.min()).item() * 19.895 == pytest.approx(80, abs=1e-3)


def test_spectrograms_of_ca():
    given = waves(10_240, 16_000)
    window = get_window("hann", 400)
    bands = bands_in_hz(16_000, 1024, 128)
    expected = []
    for wave in given:
        mel = bands.T @ power(wave, 1024, window, 160) / (window**2).sum()
        level = np.log2(np.where(mel == 0, 1e-19, mel))
        level = (level - level.mean()) / level.std()
        expected.append(level / level.max() * 2 - 1)
    found = spectra.ca(torch.from_numpy(given))
    assert found.shape == (3, 128, 65)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_log_mel_bands_of_the_speaker_network():
    """Each frame and band in turn, by the definition of SpeechBrain's filter bank."""
    given = waves(16_240, 16_000)[:2] * [[1.0], [1e-3]]
    given[1, 4_000:9_000] *= 1e-6  # more than 80 dB below the maximum
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 82)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins_hz = np.arange(201) * 40.0
    bands = np.empty((201, 80))
    for band in range(80):
        width = edges[band + 1] - edges[band]
        bands[:, band] = np.maximum(0, 1 - np.abs(bins_hz - edges[band + 1]) / width)
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 400)
    for row, found in zip(given, spectra.speaker(torch.from_numpy(given)), strict=True):
        padded = np.concatenate([np.zeros(200), row, np.zeros(200)])
        level = np.empty((102, 80))
        for frame in range(102):
            part = padded[160 * frame : 160 * frame + 400] * window
            power_at = np.abs(np.fft.rfft(part)) ** 2
            level[frame] = 10 * np.log10(np.maximum(power_at @ bands, 1e-10))
        level = np.maximum(level, level.max() - 80)
        np.testing.assert_allclose(found, level - level.mean(0), rtol=1e-6, atol=1e-5)


def test_silence_has_finite_spectrograms():
    for made, samples in ((spectra.ca, 10_240), (spectra.two_stream, 45_599)):
        assert made(torch.zeros(1, samples)).isfinite().all()
    assert torch.equal(spectra.vggish(torch.zeros(1, 15_600)), torch.full((1, 96, 64), 0.01).log())


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    """Bilinear interpolation at pixel centres, with a triangle that is wider if it shrinks."""
    count = len(picture)
    scale = count / side
    reach = max(1.0, scale)
    weights = np.zeros((side, count))
    for out in range(side):
        centre = (out + 0.5) * scale - 0.5
        for at in range(count):
            weights[out, at] = max(0.0, 1 - abs(at - centre) / reach)
    weights /= weights.sum(1, keepdims=True)
    return np.einsum("ya,xb,abc->yxc", weights, weights, picture)


@pytest.mark.parametrize(("given", "side"), [(112, 112), (112, 224), (112, 48), (56, 112)])
def test_pictures_are_resized_and_standardised(given, side):
    faces = np.random.default_rng(side).integers(0, 256, (2, given, given, 3), np.uint8)
    mean, deviation = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
    found = pixels(torch.from_numpy(faces), side, mean, deviation)
    expected = [(resized(face / 255, side) - mean) / deviation for face in faces]
    assert found.shape == (2, 3, side, side)
    np.testing.assert_allclose(found, np.moveaxis(np.array(expected), 3, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("count", "frames", "expected"),
    [
        (32, 8, [3, 7, 11, 15, 19, 23, 27, 31]),
        (31, 8, [9, 12, 15, 18, 21, 24, 27, 30]),
        (16, 8, [1, 3, 5, 7, 9, 11, 13, 15]),
        (15, 8, [7, 8, 9, 10, 11, 12, 13, 14]),
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (3, 8, [0, 1, 2, 2, 2, 2, 2, 2]),
        (16, 16, list(range(16))),
    ],
)
def test_the_faces_of_a_clip_are_those_of_the_published_code(count, frames, expected):
    """T-BIOM: every fourth of 32 from the last, every third of 24 to 31, and so on."""
    assert spread(10, 10 + count, frames).tolist() == [10 + place for place in expected]
