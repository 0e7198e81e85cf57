"""A video's sound with noise added or time moved, and the log-mel that an encoder then hears.

Sound is streamed as the media stage streams it, so that memory does not grow with a video.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.errors import MediaError
from avfusion.media.audio import Piece, Sound
from avfusion.media.mel import MelShape, log_mel
from avfusion.media.person import span_s
from avfusion.media.probe import cut, probe
from avfusion.media.read import heard

SPEAKERS, HEARD_S = 6, 60.0
"""How many voices make babble, and how much of each is used, round and round."""


_TOLD = ("path", "sha256", "sound", "sound_sha256", "start_s", "end_s", "subject", "voice")
"""What of a manifest's row says which voice is heard, and whose it is."""


Noise = Callable[[], Callable[[int, int], np.ndarray]]
"""Begins anew with each call; then (first sample, count) to noise float32 (count,), in order."""


def sound_of(
    path: Path,
    settings: dict[str, Any],
    beside: Path | None = None,
    cut_s: tuple[float, float] | None = None,
) -> Sound:
    """A video's sound, or the recording `beside` it, at the media stage's rate; often iterable.

    cut_s: start and end of what is meant of the video; the recording beside is of that alone.
    """
    return Sound(heard(cut(probe(path), cut_s), beside), settings["sample_rate_hz"])


def mel_of(pieces: Iterable[Piece], duration_s: float, settings: dict[str, Any]) -> np.ndarray:
    """Log-mel float16 (N, bands) of `pieces` on a video's timeline, as the media stage makes it."""
    shape = MelShape.of(settings)
    blocks = log_mel(pieces, shape.rows(duration_s), shape)
    return np.concatenate([block.astype(np.float16) for block in blocks])


def noisy(sound: Iterable[Piece], noise: Noise, snr_db: float) -> Iterator[Piece]:
    """Sound plus noise: power of all sound over power of all noise is `snr_db`, over the video.

    Two passes over the sound: the first measures both. Digital silence stays silent.
    """
    if math.isinf(snr_db):
        yield from sound
        return
    power, against, draw = 0.0, 0.0, noise()
    for start, samples in sound:
        power += _energy(samples)
        against += _energy(draw(start, len(samples)))
    gain = math.sqrt(power / against / 10 ** (snr_db / 10)) if against else 0.0
    draw = noise()
    for start, samples in sound:
        yield start, samples + np.float32(gain) * draw(start, len(samples))


def late(sound: Iterable[Piece], samples: int) -> Iterator[Piece]:
    """Sound that begins so many samples later."""
    for start, piece in sound:
        yield start + samples, piece


def white(generator: Callable[[], np.random.Generator]) -> Noise:
    """Gaussian noise, alike at all frequencies; `generator` gives the same draws each time."""

    def begin() -> Callable[[int, int], np.ndarray]:
        draws = generator()
        return lambda start, count: draws.standard_normal(count, np.float32)

    return begin


def babble(voices: list[np.ndarray], generator: Callable[[], np.random.Generator]) -> Noise:
    """Voices (n,) of equal power at once, each from a drawn place on and round and round."""
    level = [voice / math.sqrt(_energy(voice) / len(voice)) for voice in voices]

    def begin() -> Callable[[int, int], np.ndarray]:
        draws = generator()
        begins = [int(draws.integers(len(voice))) for voice in voices]

        def draw(start: int, count: int) -> np.ndarray:
            at = np.arange(start, start + count)
            spoken = [v[(at + b) % len(v)] for v, b in zip(level, begins, strict=True)]
            return np.sum(spoken, axis=0, dtype=np.float32)

        return draw

    return begin


class Voices:
    """The voices of a corpus, of which some speak at once; lately heard ones are kept.

    `named` is a hash of them all: babble over one video follows from every other's sound.
    """

    def __init__(self, videos: pd.DataFrame, root: Path, settings: dict[str, Any]) -> None:
        """videos: `path` below root, and `subject`, `voice` where known, by video."""
        self._videos, self._root, self._settings = videos, root, settings
        self._heard = lru_cache(maxsize=32)(self._hear)
        told = videos.filter(items=_TOLD).sort_index().to_csv()
        self.named = hashlib.sha256(told.encode()).hexdigest()

    def besides(self, video: str, draws: np.random.Generator) -> list[np.ndarray]:
        """Voices (n,) of up to `SPEAKERS` other videos, of other people where there are any."""
        own, table = self._videos.loc[video], self._videos.drop(index=video)
        for who in ("subject", "voice"):
            known = who in table and pd.notna(own[who])
            others = table[table[who] != own[who]] if known else table
            table = others if len(others) else table
        found: list[np.ndarray] = []
        for other in draws.permutation(sorted(table.index)):
            heard = self._heard(str(other)) if len(found) < SPEAKERS else found[0][:0]
            found += [heard] if len(heard) else []
        if not found:
            raise MediaError(f"{self._root}: no video besides {video!r} has a voice for babble.")
        return found

    def sound(self, video: str) -> Sound:
        """What is heard of a video: its own sound, or the recording beside it."""
        row = self._videos.loc[video]
        beside = row.get("sound")
        beside = self._root / beside if isinstance(beside, str) else None
        cut_s = span_s(row.get("start_s"), row.get("end_s"))
        return sound_of(self._root / row["path"], self._settings, beside, cut_s)

    def _hear(self, video: str) -> np.ndarray:
        """The first `HEARD_S` of a video's recorded sound: float32 (n,), empty if it is silent."""
        wanted, held = round(HEARD_S * self._settings["sample_rate_hz"]), [np.zeros(0, np.float32)]
        for _, samples in self.sound(video):
            held.append(samples)
            if sum(map(len, held)) >= wanted:
                break
        found = np.concatenate(held)[:wanted]
        return found if _energy(found) > 0 else found[:0]


def _energy(samples: np.ndarray) -> float:
    return float(np.square(samples, dtype=np.float64).sum())
