"""Add noise to a record's sound, delay it or remove parts; it is streamed in constant memory."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from avfusion.errors import MediaError
from avfusion.media.audio import Piece
from avfusion.media.store import MediaRecord

SPEAKERS, HEARD_S = 6, 60.0
"""Number of voices in babble, and the part of each that is repeated."""


Noise = Callable[[], Callable[[int, int], np.ndarray]]
"""Each call restarts the noise and returns (first sample, count) -> float32 (count,), in order."""


def noisy(sound: Callable[[], Iterable[Piece]], noise: Noise, snr_db: float) -> Iterator[Piece]:
    """Add noise at a signal-to-noise ratio over the complete video.

    sound: starts the sound; it is read twice, and the first pass measures its power and that of the
    noise. Digital silence stays silent.
    """
    if math.isinf(snr_db):
        yield from sound()
        return
    power, against, draw = 0.0, 0.0, noise()
    for start, samples in sound():
        power += _energy(samples)
        against += _energy(draw(start, len(samples)))
    gain = math.sqrt(power / against / 10 ** (snr_db / 10)) if against else 0.0
    draw = noise()
    for start, samples in sound():
        yield start, samples + np.float32(gain) * draw(start, len(samples))


def late(sound: Iterable[Piece], samples: int) -> Iterator[Piece]:
    """Delay the sound by a number of samples."""
    for start, piece in sound:
        yield start + samples, piece


def without(
    sound: Iterable[Piece], spans_s: list[tuple[float, float]], rate_hz: int
) -> Iterator[Piece]:
    """Leave out the sound of ascending spans (begin, end] in seconds."""
    cuts = [(round(begin_s * rate_hz), round(end_s * rate_hz)) for begin_s, end_s in spans_s]
    for start, samples in sound:
        begin, end = start, start + len(samples)
        for low, high in cuts:
            if low >= end:
                break
            if begin < low:
                yield begin, samples[begin - start : low - start]
            begin = max(begin, high)
        if begin < end:
            yield begin, samples[begin - start :]


def white(generator: Callable[[], np.random.Generator]) -> Noise:
    """Return white Gaussian noise; `generator` must return the same draws on each call."""

    def begin() -> Callable[[int, int], np.ndarray]:
        draws = generator()
        return lambda start, count: draws.standard_normal(count, np.float32)

    return begin


def babble(voices: list[np.ndarray], generator: Callable[[], np.random.Generator]) -> Noise:
    """Mix voices (n,) of equal power, each repeated from a random position."""
    level = [voice / math.sqrt(_energy(voice) / len(voice)) for voice in voices]

    def begin() -> Callable[[int, int], np.ndarray]:
        draws = generator()
        begins = [int(draws.integers(len(voice))) for voice in voices]

        def draw(start: int, count: int) -> np.ndarray:
            at = np.arange(start, start + count)
            spoken = [v[(at + b) % len(v)] for v, b in zip(level, begins, strict=True)]
            return np.asarray(np.sum(spoken, axis=0, dtype=np.float32))

        return draw

    return begin


class Voices:
    """The voices of a corpus, for babble; the last ones used are cached.

    Parameters
    ----------
    videos
        Manifest indexed by video, with `subject` and `voice` if known.
    open_record
        Returns the record of a video.

    Notes
    -----
    The babble of one video depends on the voices of all others, which `digest` therefore hashes.
    """

    def __init__(self, videos: pd.DataFrame, open_record: Callable[[str], MediaRecord]) -> None:
        self._videos, self._open = videos, open_record
        self._cached = lru_cache(maxsize=32)(self._read)

    @cached_property
    def digest(self) -> str:
        """Hash of all voices and their speakers."""
        people = self._videos.filter(items=("subject", "voice")).sort_index()
        keys = [self._open(video).meta.get("key", "") for video in people.index]
        return hashlib.sha256(people.assign(key=keys).to_csv().encode()).hexdigest()

    def others(self, video: str, draws: np.random.Generator) -> list[np.ndarray]:
        """Return voices (n,) of up to `SPEAKERS` other videos, if possible of other people.

        Raises
        ------
        MediaError
            If no other video has sound.
        """
        row, table = self._videos.loc[video], self._videos.drop(index=video)
        for column in ("subject", "voice"):
            known = column in table and pd.notna(row[column])
            others = table[table[column] != row[column]] if known else table
            table = others if len(others) else table
        voices: list[np.ndarray] = []
        for other in draws.permutation(sorted(table.index)):
            voice = self._cached(str(other)) if len(voices) < SPEAKERS else voices[0][:0]
            voices += [voice] if len(voice) else []
        if not voices:
            raise MediaError(f"No video other than {video!r} has sound for babble.")
        return voices

    def _read(self, video: str) -> np.ndarray:
        """Read the first `HEARD_S` of a video's sound: float32 (n,), empty if it is silent."""
        record, held = self._open(video), [np.zeros(0, np.float32)]
        wanted = round(HEARD_S * record.sound_hz)
        for _, samples in record.pieces():
            held.append(samples)
            if sum(map(len, held)) >= wanted:
                break
        sound = np.concatenate(held)[:wanted]
        return sound if _energy(sound) > 0 else sound[:0]


def _energy(samples: np.ndarray) -> float:
    return float(np.square(samples, dtype=np.float64).sum())
