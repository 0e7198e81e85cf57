"""Plan of a demo video: true signals, what face and voice show of them, and planted spans.

Every number depends only on the seed and the index of the video, so more videos change none.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter1d

SIGNAL_HZ = 25
PATTERN = (  # of 15 videos: 7 train, 3 validation, 5 test
    *("train", "test", "train", "validation", "test", "train", "train", "test"),
    *("train", "validation", "train", "test", "train", "test", "validation"),
)
KINDS = (
    *(("video", "covered"), ("audio", "muted"), ("video", "turned"), ("audio", "noisy")),
    *(("video", "blurred"), ("audio", "contradicting")),
)
VOICES = {
    "train": (
        *("en-us+f2", "en-us+m3", "en-gb-x-rp+f1", "en-029+m1", "en-us+linda", "en-us+m7"),
        *("en-gb-scotland+Mario", "en-gb-x-gbclan+f4"),
    ),
    "validation": ("en-us+Alicia", "en-gb-scotland+m2", "en-029+f5"),
    "test": (
        *("en-us+belinda", "en-us-nyc+m4", "en-gb-x-rp+Annie", "en-gb-x-gbcwmd+Andy"),
        "en-us+f3",
    ),
}
PAINTINGS = {"train": "newton", "validation": "mona_lisa", "test": "gauss"}


@dataclass(frozen=True)
class Span:
    """An interval in which one modality is corrupted."""

    start_s: float
    end_s: float
    modality: str
    kind: str


@dataclass(frozen=True)
class Scene:
    """Plan of one video; signals are (N,) at `SIGNAL_HZ`, in [-1, 1], over [0, seconds)."""

    video: str
    partition: str
    subject: str
    voice: str
    seconds: float
    seed: tuple[int, int]
    valence: np.ndarray
    arousal: np.ndarray
    face: dict[str, np.ndarray] = field(repr=False)  # valence and arousal as the face shows them
    speech: dict[str, np.ndarray] = field(
        repr=False
    )  # valence and arousal as the voice carries them
    spans: tuple[Span, ...] = ()

    def rng(self, stream: int) -> np.random.Generator:
        """Return a random generator, independent of those of other streams."""
        return np.random.default_rng([*self.seed, stream])


def video_name(index: int) -> str:
    """Return the name of the video with this index."""
    return f"demo{index:03d}"


def scene(index: int, seconds: float, seed: int) -> Scene:
    """Return the plan of the video with this index."""
    partition = PATTERN[index % len(PATTERN)]
    rank = index // len(PATTERN) * PATTERN.count(partition)
    rank += PATTERN[: index % len(PATTERN)].count(partition)
    rng = np.random.default_rng([seed, index, 0])
    valence, arousal = _true(rng, seconds), _true(rng, seconds)
    spans = _spans(rng, rank, seconds)
    voices = VOICES[partition]
    return Scene(
        video=video_name(index),
        partition=partition,
        subject=PAINTINGS[partition] if rank % 4 == 2 else f"painted{index:03d}",
        voice=voices[rank % len(voices)],
        seconds=seconds,
        seed=(seed, index),
        valence=valence,
        arousal=arousal,
        face={
            "valence": _through(rng, valence, seconds, strong=True),
            "arousal": _through(rng, arousal, seconds, strong=False),
        },
        speech=_reversed_within(
            {
                "valence": _through(rng, valence, seconds, strong=False),
                "arousal": _through(rng, arousal, seconds, strong=True),
            },
            spans,
        ),
        spans=spans,
    )


def smooth(rng: np.random.Generator, seconds: float, scale_s: float) -> np.ndarray:
    """Return a stationary Gaussian process (N,) of unit variance, kernel width `scale_s`."""
    sigma = scale_s * SIGNAL_HZ
    pad = int(4 * sigma)
    count = round(seconds * SIGNAL_HZ)
    raw = gaussian_filter1d(rng.standard_normal(count + 2 * pad), sigma, mode="constant")
    return raw[pad : pad + count] * np.sqrt(2 * sigma * np.sqrt(np.pi))


def at(signal: np.ndarray, time_s: np.ndarray | float) -> np.ndarray:
    """Return the value of a signal at any time; held before its start and after its end."""
    return np.interp(time_s, np.arange(len(signal)) / SIGNAL_HZ, signal)


def within(span: Span, time_s: np.ndarray, fade_s: float = 0.3) -> np.ndarray:
    """Return 1 inside the span and 0 outside, with ramps of `fade_s` inside the span."""
    inside = np.minimum(time_s - span.start_s, span.end_s - time_s)
    return np.clip(inside / fade_s, 0, 1)


def _true(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Return slow changes around a mean per video, within 0.85 because raters add to it."""
    return 0.85 * np.tanh(0.2 * rng.standard_normal() + 0.85 * smooth(rng, seconds, 1.6))


def _through(
    rng: np.random.Generator, signal: np.ndarray, seconds: float, *, strong: bool
) -> np.ndarray:
    """Return what a modality shows: the signal mixed with a nuisance, by strength."""
    nuisance = 0.5 * (0.2 * rng.standard_normal() + 0.9 * smooth(rng, seconds, 1.2))
    mixed = signal + 0.4 * nuisance if strong else 0.45 * signal + 0.7 * nuisance
    return np.clip(mixed, -1.1, 1.1)


def _spans(rng: np.random.Generator, rank: int, seconds: float) -> tuple[Span, ...]:
    """Return one or two spans for every second video of a partition; six cover every kind."""
    count = 2 if seconds >= 12 else 1
    if rank % 2:
        return ()
    slot_s = (seconds - 1.0) / count
    spans = []
    for number in range(count):
        length_s = min(rng.uniform(2, 5), 0.75 * slot_s)
        start_s = 0.5 + number * slot_s + rng.uniform(0, slot_s - length_s)
        modality, kind = KINDS[(rank + number) % len(KINDS)]
        spans.append(Span(round(start_s, 2), round(start_s + length_s, 2), modality, kind))
    return tuple(spans)


def _reversed_within(
    speech: dict[str, np.ndarray], spans: tuple[Span, ...]
) -> dict[str, np.ndarray]:
    """Return the signals of the voice with their sign reversed in every contradicting span."""
    for span in spans:
        if span.kind == "contradicting":
            time_s = np.arange(len(speech["valence"])) / SIGNAL_HZ
            flip = 1 - 2 * within(span, time_s)
            speech = {name: signal * flip for name, signal in speech.items()}
    return speech
