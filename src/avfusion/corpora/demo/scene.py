"""Plan of a demo video: true signals, what face and voice show of them, and planted spans.

Every number depends only on the seed and the index of the video, so more videos change none.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter1d

SIGNAL_HZ = 25
DIMENSIONS = ("valence", "arousal")
PATTERN = (  # of 8 videos: 4 train, 1 validation, 3 test
    *("train", "test", "train", "validation"),
    *("test", "train", "test", "train"),
)
KINDS = {  # blurred and noisy still show something, so they are planted more often
    "video": ("blurred", "covered", "dark", "blurred", "turned", "dark", "blurred", "dark"),
    "audio": ("noisy", "muted", "noisy", "contradicting", "noisy", "muted", "noisy"),
}
SPOILT_SHARE = 0.25
VOICES = {
    "train": (
        *("en-us+f2", "en-us+m3", "en-gb-x-rp+f1", "en-029+m1", "en-us+linda", "en-us+m7"),
        *("en-gb-scotland+Mario", "en-gb-x-gbclan+f4", "en-us+adam", "en-us+steph"),
        *("en-gb-x-rp+edward", "en-us+shelby"),
    ),
    "validation": ("en-us+Alicia", "en-gb-scotland+m2", "en-029+f5", "en-gb-x-rp+max"),
    "test": (
        *("en-us+belinda", "en-us-nyc+m4", "en-gb-x-rp+Annie", "en-gb-x-gbcwmd+Andy"),
        *("en-us+f3", "en-gb-scotland+anika", "en-us+zac"),
    ),
}
PAINTINGS = {"train": "newton", "validation": "mona_lisa", "test": "gauss"}
_PAINTED_RANK = 2  # this person of each partition is a painting
_SCALE_S = 0.8  # kernel width of the true signals
_NUISANCE = {"video": 0.25, "audio": 0.1}  # faces are easier to read than voices
_ASTRAY = 1.8  # size of the unrelated signals in spoilt spans


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
    formants: float  # frequencies of the voice, as a multiple
    seconds: float
    seed: tuple[int, int]
    valence: np.ndarray
    arousal: np.ndarray
    face: dict[str, np.ndarray] = field(repr=False)  # valence and arousal as the face shows them
    speech: dict[str, np.ndarray] = field(
        repr=False
    )  # valence and arousal as the voice carries them
    spans: tuple[Span, ...] = ()

    @property
    def speaker(self) -> str:
        """Name of the voice with its formants, such as `en-us+f2 x1.05`."""
        return f"{self.voice} x{self.formants:g}"

    def rng(self, stream: int) -> np.random.Generator:
        """Return a random generator, independent of those of other streams."""
        return np.random.default_rng([*self.seed, stream])


def video_name(index: int) -> str:
    """Return the name of the video with this index."""
    return f"demo{index:03d}"


def scene(index: int, seconds: float, seed: int) -> Scene:
    """Return the plan of the video with this index, which shows a person of its own."""
    partition = PATTERN[index % len(PATTERN)]
    rank = index // len(PATTERN) * PATTERN.count(partition)
    rank += PATTERN[: index % len(PATTERN)].count(partition)
    rng = np.random.default_rng([seed, index, 0])
    true = {name: _true(rng, seconds) for name in DIMENSIONS}
    spans = _spans(rng, rank, seconds)
    voices = VOICES[partition]
    return Scene(
        video=video_name(index),
        partition=partition,
        subject=PAINTINGS[partition] if rank == _PAINTED_RANK else f"painted{index:03d}",
        voice=voices[rank % len(voices)],
        formants=round(rng.uniform(0.9, 1.12), 3),
        seconds=seconds,
        seed=(seed, index),
        **true,
        face=_shown(rng, true, spans, "video"),
        speech=_shown(rng, true, spans, "audio"),
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


def within(span: Span, time_s: np.ndarray, fade_s: float = 0.2) -> np.ndarray:
    """Return 1 inside the span and 0 outside, with ramps of `fade_s` inside the span."""
    inside = np.minimum(time_s - span.start_s, span.end_s - time_s)
    return np.clip(inside / fade_s, 0, 1)


def _true(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Return changes around a small mean, within 0.85 because raters add to it.

    Every video has the same spread, so that few videos suffice to compare models, and encoders
    that subtract the mean of a video lose little.
    """
    moves = smooth(rng, seconds, _SCALE_S)
    moves = (moves - moves.mean()) / moves.std()
    return 0.85 * np.tanh(0.15 * rng.standard_normal() + 0.8 * moves)


def _shown(
    rng: np.random.Generator, true: dict[str, np.ndarray], spans: tuple[Span, ...], modality: str
) -> dict[str, np.ndarray]:
    """Return what a modality shows: the truth with a nuisance of its own.

    Inside the spans it shows unrelated signals, or the reversed truth if they are contradicting.
    """
    shown = {}
    for name, signal in true.items():
        time_s = np.arange(len(signal)) / SIGNAL_HZ
        seconds = len(signal) / SIGNAL_HZ
        nuisance = _NUISANCE[modality] * smooth(rng, seconds, 0.6)
        mixed, unrelated = signal + nuisance, _ASTRAY * _true(rng, seconds)
        for span in (span for span in spans if span.modality == modality):
            share = within(span, time_s)
            other = -signal if span.kind == "contradicting" else unrelated
            mixed = (1 - share) * mixed + share * (other + nuisance)
        shown[name] = np.clip(mixed, -1.1, 1.1)
    return shown


def _spans(rng: np.random.Generator, rank: int, seconds: float) -> tuple[Span, ...]:
    """Return spans in turn for each modality, never both at once; about a quarter of each."""
    pairs = max(1, round(seconds / 10))
    slot_s = seconds / (2 * pairs)
    spans = []
    for pair in range(pairs):
        for half, modality in enumerate(rng.permutation(["audio", "video"])):
            length_s = slot_s * 2 * SPOILT_SHARE * rng.uniform(0.9, 1.1)
            start_s = slot_s * (2 * pair + half) + rng.uniform(0, slot_s - length_s)
            kinds = KINDS[modality]
            kind = kinds[(rank + pair) % len(kinds)]
            spans.append(Span(round(start_s, 2), round(start_s + length_s, 2), str(modality), kind))
    return tuple(spans)
