"""Corrupt cached features at test time.

A corruption changes every encoder's rows of one modality in the scored partition, after encoding
and before the video's baseline and standardisation; training never sees it:

    missing        rows of random stretches of time -> NaN, which the model masks as absent
    missing_block  the same for one block of adjoining stretches
    late           row at t -> the row at t - level seconds; NaN where there is none
    feature_noise  row -> row + Gaussian noise

Time is removed in stretches of clip_s: the clips that end in a stretch are removed together. Clips
overlap those of the next stretch, but the clips of one window adjoin. So no clip in a window
overlaps a clip that was removed from it.
Corruptions of audio and video before encoding are in avfusion.encoders.corrupt.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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
    """
    act = CHANGES[name.partition("_")[2]]
    stride = stride_of(cuts)

    def change(encoder: str) -> Change:
        def one(video: str, rows: np.ndarray) -> np.ndarray:
            drawn = generator(seed, name, video), generator(seed, name, video, encoder)
            place = Place(stride, cuts.hop_s, spreads[encoder], *drawn)
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


def _scattered(rows: np.ndarray, level: float, place: Place) -> np.ndarray:
    """Set round(level * stretches) stretches to NaN, in the same order at every level."""
    stretches = -(-len(rows) // place.stride)
    order = place.of_video.permutation(stretches)
    return _without(rows, order[: round(level * stretches)], place)


def _adjoining(rows: np.ndarray, level: float, place: Place) -> np.ndarray:
    """Set one block of stretches to NaN; it contains the blocks of all lower levels."""
    stretches = -(-len(rows) // place.stride)
    count = round(level * stretches)
    start = int(place.of_video.random() * (stretches - count + 1))
    return _without(rows, np.arange(start, start + count), place)


def _without(rows: np.ndarray, removed: np.ndarray, place: Place) -> np.ndarray:
    """Set the stretches of these indices to NaN."""
    out = np.array(rows)
    out[np.isin(np.arange(len(rows)) // place.stride, removed)] = np.nan
    return out


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
    "missing": _scattered,
    "missing_block": _adjoining,
    "late": _late,
    "feature_noise": _noisy,
}
"""What each of `corruptions.FEATURE_KINDS` does to rows (N, D) at a level."""
