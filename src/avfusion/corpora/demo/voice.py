"""Speech of a demo video: phrases with the prosody of the moment, placed in time."""

from contextlib import closing

import numpy as np
from scipy.ndimage import gaussian_filter1d

from avfusion.corpora.demo.espeak import Prosody, Speaker
from avfusion.corpora.demo.scene import Scene, at, within
from avfusion.corpora.demo.script import phrase

Word = tuple[str, float, float]
LIPS_HZ = 25
LIMIT = 0.7
"""Loudest sample: a limiter, as recorders have, leaves room for what AAC adds."""


def perform(scene: Scene) -> tuple[np.ndarray, int, np.ndarray, list[Word]]:
    """Return samples (N,) float32, their rate, mouth opening (F,) at `LIPS_HZ`, and timed words.

    The mouth follows the clean voice: a planted audio span corrupts the sound, not the face.
    """
    rng = scene.rng(1)
    with closing(Speaker(scene.voice)) as speaker:
        clean, words = _speech(scene, speaker, rng)
    mouth = _mouth(clean, speaker.rate_hz)
    sound = _recorded(scene, clean, speaker.rate_hz, rng)
    return sound, speaker.rate_hz, mouth, words


def _speech(
    scene: Scene, speaker: Speaker, rng: np.random.Generator
) -> tuple[np.ndarray, list[Word]]:
    """Return phrases and pauses up to the end: samples (N,) at unit loudness, and words."""
    rate_hz = speaker.rate_hz
    clean = np.zeros(round(scene.seconds * rate_hz), np.float32)
    words: list[Word] = []
    cursor_s: float = rng.uniform(0.1, 0.4)
    while cursor_s < scene.seconds - 0.4:
        samples, spoken = _phrase(scene, speaker, rng, cursor_s)
        start = round(cursor_s * rate_hz)
        piece = samples[: len(clean) - start]
        clean[start : start + len(piece)] += piece
        words += [(w, cursor_s + s, min(cursor_s + e, scene.seconds)) for w, s, e in spoken]
        arousal = float(at(scene.speech["arousal"], cursor_s))
        pause_s = 0.15 - 0.1 * arousal + rng.uniform(0, 0.15)
        cursor_s += len(samples) / rate_hz + pause_s
    return clean, [word for word in words if word[1] < scene.seconds]


def _phrase(
    scene: Scene, speaker: Speaker, rng: np.random.Generator, start_s: float
) -> tuple[np.ndarray, list[Word]]:
    """Return one phrase at unit loudness, spoken with the valence and arousal around its middle."""
    arousal = float(at(scene.speech["arousal"], start_s + 0.8))
    valence = float(at(scene.speech["valence"], start_s + 0.8))
    prosody = Prosody(
        rate=round((175 + 66 * arousal + rng.uniform(-8, 8)) / scene.formants),
        pitch=round(np.clip(45 + 30 * arousal + 8 * valence + rng.uniform(-4, 4), 0, 99)),
        range=round(np.clip(50 + 20 * arousal + 30 * valence, 0, 99)),
    )
    text = phrase(rng, float(at(scene.valence, start_s + 0.8)))
    samples, words = _shifted(*speaker.say(text, prosody), scene.formants)
    level = np.sqrt(np.mean(samples**2)) + 1e-9
    return (0.09 / level * samples).astype(np.float32), words


def _shifted(
    samples: np.ndarray, words: list[Word], factor: float
) -> tuple[np.ndarray, list[Word]]:
    """Multiply all frequencies of speech by a factor, as a shorter vocal tract does."""
    moments = np.arange(0, len(samples) - 1, factor)
    shifted = np.interp(moments, np.arange(len(samples)), samples)
    return shifted, [(word, start_s / factor, end_s / factor) for word, start_s, end_s in words]


def _brightened(clean: np.ndarray, rate_hz: int, bright_db: np.ndarray) -> np.ndarray:
    """Amplify frequencies above about 1 kHz by bright_db (N,); loudness hardly changes."""
    low = gaussian_filter1d(clean, rate_hz / (2 * np.pi * 1000))
    return low + (clean - low) * 10 ** (bright_db / 20)


def _mouth(clean: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return the mouth opening (F,) in [0, 1] from the loudness of the voice."""
    count = int(len(clean) / rate_hz * LIPS_HZ)
    hop = rate_hz / LIPS_HZ
    edges = np.round(np.arange(count + 1) * hop).astype(int)
    power = np.add.reduceat(clean**2, edges[:-1]) / np.diff(edges).mean()
    return np.clip(gaussian_filter1d(np.sqrt(power), 0.8) / 0.16, 0, 1)


def _recorded(
    scene: Scene, clean: np.ndarray, rate_hz: int, rng: np.random.Generator
) -> np.ndarray:
    """Apply brightness by valence, loudness by arousal, level, noise and planted audio spans."""
    time_s = np.arange(len(clean)) / rate_hz
    gain_db = 18 * at(scene.speech["arousal"], time_s) - 6 + rng.normal(0, 1.0)
    noise = rng.standard_normal(len(clean))
    bright_db = 18 * at(scene.speech["valence"], time_s)  # a happy voice is brighter
    sound = _brightened(clean, rate_hz, bright_db) * 10 ** (gain_db / 20)
    sound = sound + 10 ** (rng.uniform(-62, -52) / 20) * noise
    for span in scene.spans:
        share = within(span, time_s, fade_s=0.05)
        if span.kind == "muted":
            sound = sound * (1 - share)
        if span.kind == "noisy":
            sound = sound + 0.05 * share * noise
    return (LIMIT * np.tanh(0.6 / LIMIT * sound)).astype(np.float32)
