"""Corrupt cached features at test time.

A corruption changes every encoder's rows of one modality in the scored partition, after encoding
and before the video's baseline and standardisation; training never sees it:

    missing        rows that depend on random stretches of time -> NaN, which the model masks
    missing_block  the same for one block of adjoining stretches
    late           row at t -> the row at t - level seconds; NaN where there is none
    feature_noise  row -> row + Gaussian noise

Time is removed in stretches of clip_s. A row is absent if its clip overlaps a removed stretch, or
if the context that its encoder states does. Encoders with a longer or unknown context encode what
is left of the recording again, so a row that is present never depends on what was removed. Files of
features without a stated context are the exception: their rows count as those of their own clips.
Corruptions of audio and video before encoding are in avfusion.encoders.corrupt.
"""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from avfusion.config.contexts import Context
from avfusion.config.sections import ClipSettings
from avfusion.features.store import Features, FeatureStore
from avfusion.features.windows import stride_of

Change = Callable[[str, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Place:
    """What a corruption needs to know about a video and an encoder.

    Attributes
    ----------
    stride
        Rows in a stretch.
    context
        Rows' spacings before and after the end of a clip that its row depends on.
    hop_s
        Spacing of rows in seconds.
    spread
        Within-video deviation of each feature over the train partition (D,).
    of_video
        Random draws that are the same for all encoders of a video.
    of_encoder
        Random draws that differ between encoders.
    """

    stride: int
    context: tuple[int, int]
    hop_s: float
    spread: np.ndarray
    of_video: np.random.Generator
    of_encoder: np.random.Generator


def corrupted(
    stores: dict[str, FeatureStore],
    name: str,
    level: float,
    cuts: ClipSettings,
    spreads: dict[str, np.ndarray],
    seed: int,
    contexts: Mapping[str, Context | None] = MappingProxyType({}),
) -> dict[str, FeatureStore]:
    """Return the stores of one modality with their rows corrupted as they are loaded.

    The draw depends only on seed, corruption and video, so every fusion and every seed of it gets
    the same. As the level rises, the same places are corrupted further.

    Parameters
    ----------
    stores
        Encoder -> features; all encoders are of one modality.
    name
        Corruption, such as `"audio_missing"`.
    level
        Share, seconds or share of the variance; 0 changes nothing.
    cuts
        Length and spacing of clips.
    spreads
        Encoder -> within-video deviation of each feature (D,).
    seed
        Seed of the draws.
    contexts
        Encoder -> seconds before and after the end of a clip that its row depends on; by default
        the clip.
    """
    act = CHANGES[name.partition("_")[2]]
    stride = stride_of(cuts)

    def change(encoder: str) -> Change:
        spans_s = contexts.get(encoder) or (cuts.clip_s, 0.0)
        before, after = (math.ceil(span_s / cuts.hop_s - 1e-6) for span_s in spans_s)

        def one(video: str, rows: np.ndarray) -> np.ndarray:
            drawn = generator(seed, name, video), generator(seed, name, video, encoder)
            place = Place(stride, (before, after), cuts.hop_s, spreads[encoder], *drawn)
            return act(rows, level, place) if level else rows

        return one

    return {encoder: _Corrupted(store, change(encoder)) for encoder, store in stores.items()}


def spread(store: FeatureStore, videos: list[str]) -> np.ndarray:
    """Return the within-video deviation of each feature (D,), over the present rows of `videos`."""
    total, count = np.zeros(store.dim), np.zeros(store.dim, int)
    for video in videos:
        rows = store.load(video).rows.astype(np.float64)
        present = ~np.isnan(rows)
        mean = np.where(present, rows, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
        total += (np.where(present, rows - mean, 0) ** 2).sum(axis=0)
        count += present.sum(axis=0)
    return np.sqrt(total / np.maximum(count, 1))


class _Corrupted(FeatureStore):
    """A store whose rows are changed as they are loaded; the last video is cached."""

    def __init__(self, store: FeatureStore, change: Change) -> None:
        super().__init__(store.path, store.index.reset_index())
        self._change = change
        self._last: tuple[str, Features] | None = None

    def load(self, video: str) -> Features:
        """Return the times (N,) and the changed rows (N, D) of one video."""
        if self._last is None or self._last[0] != video:
            loaded = super().load(video)
            self._last = video, Features(loaded.times_s, self._change(video, loaded.rows))
        return self._last[1]


def removed_spans(
    name: str, level: float, video: str, rows: int, cuts: ClipSettings, seed: int
) -> list[tuple[float, float]]:
    """Return the stretches of time that are missing, as (begin, end] in seconds, ascending.

    Parameters
    ----------
    name
        Corruption, such as `"audio_missing"`.
    level
        Share of the stretches.
    video
        Name of the video.
    rows
        Number of its clips.
    cuts
        Length and spacing of clips.
    seed
        Seed of the draws.
    """
    drawn = _DRAWS[name.partition("_")[2]](-(-rows // stride_of(cuts)), level,
                                           generator(seed, name, video))  # fmt: skip
    stretch_s = stride_of(cuts) * cuts.hop_s
    return [(index * stretch_s, (index + 1) * stretch_s) for index in sorted(drawn.tolist())]


def _scattered(stretches: int, level: float, draws: np.random.Generator) -> np.ndarray:
    """Return the indices of round(level * stretches), in the same order at every level."""
    return draws.permutation(stretches)[: round(level * stretches)]


def _adjoining(stretches: int, level: float, draws: np.random.Generator) -> np.ndarray:
    """Return the indices of one block; it contains the blocks of all lower levels."""
    count = round(level * stretches)
    start = int(draws.random() * (stretches - count + 1))
    return np.arange(start, start + count)


_DRAWS = {"missing": _scattered, "missing_block": _adjoining}
"""How the stretches that are missing are drawn."""


def _missing(kind: str) -> Callable[[np.ndarray, float, Place], np.ndarray]:
    """Return the corruption that sets rows to NaN that depend on a removed stretch."""

    def act(rows: np.ndarray, level: float, place: Place) -> np.ndarray:
        removed = _DRAWS[kind](-(-len(rows) // place.stride), level, place.of_video)
        before, after = place.context
        place_of = np.arange(len(rows) + after) // place.stride  # a stretch per spacing of rows
        total = np.concatenate([[0], np.cumsum(np.isin(place_of, removed))])
        end = np.arange(1, len(rows) + 1)
        out = np.array(rows)
        out[total[end + after] > total[np.maximum(end - before, 0)]] = np.nan
        return out

    return act


def _late(rows: np.ndarray, level: float, place: Place) -> np.ndarray:
    """Move rows to later clips by `level` seconds."""
    steps = min(round(level / place.hop_s), len(rows))
    out = np.full_like(rows, np.nan)
    out[steps:] = rows[: len(rows) - steps]
    return out


def _noisy(rows: np.ndarray, level: float, place: Place) -> np.ndarray:
    """Add noise that makes up `level` of the variance: SNR = 10 log10((1 - level) / level).

    Clips that overlap share noise in proportion, as they would with noisy input.
    """
    shape = (len(rows) + place.stride - 1, rows.shape[1])
    white = place.of_encoder.standard_normal(shape)
    summed = np.cumsum(np.vstack([np.zeros(shape[1]), white]), axis=0)
    smooth = (summed[place.stride :] - summed[: -place.stride]) / np.sqrt(place.stride)
    noise = smooth * place.spread * np.sqrt(level / (1 - level))
    return rows.astype(np.float32) + noise.astype(np.float32)


def generator(seed: int, *words: str) -> np.random.Generator:
    """Return random draws that depend only on a seed and words, such as a video's name."""
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in words)])


CHANGES: dict[str, Callable[[np.ndarray, float, Place], np.ndarray]] = {
    "missing": _missing("missing"),
    "missing_block": _missing("missing_block"),
    "late": _late,
    "feature_noise": _noisy,
}
"""What each of `corruptions.FEATURE_KINDS` does to rows (N, D) at a level."""
