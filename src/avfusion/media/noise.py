"""Add noise to a video's sound or delay it, and compute the log-mel of the result.

Sound is streamed as in the media stage, so memory does not grow with the length of a video.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.sections import SignalSettings
from avfusion.errors import MediaError
from avfusion.media.audio import Piece, Sound
from avfusion.media.mel import MelShape, log_mel
from avfusion.media.person import span_s
from avfusion.media.probe import cut, probe
from avfusion.media.read import sound_source

SPEAKERS, HEARD_S = 6, 60.0
"""Number of voices in babble, and the part of each that is repeated."""


_VOICE_COLUMNS = ("path", "sha256", "sound", "sound_sha256", "start_s", "end_s", "subject", "voice")
"""Columns of the manifest that determine a voice and its speaker."""


Noise = Callable[[], Callable[[int, int], np.ndarray]]
"""Each call restarts the noise and returns (first sample, count) -> float32 (count,), in order."""


def sound_of(
    path: Path,
    settings: SignalSettings,
    recording: Path | None = None,
    cut_s: tuple[float, float] | None = None,
) -> Sound:
    """Open a video's sound at the rate of the media stage; it can be iterated several times.

    Parameters
    ----------
    path
        The video file.
    settings
        Settings of the signal.
    recording
        A separate sound recording of the span, used instead of the video's sound.
    cut_s
        Start and end of the span of the video in seconds.
    """
    return Sound(sound_source(cut(probe(path), cut_s), recording), settings.sample_rate_hz)


def mel_of(pieces: Iterable[Piece], duration_s: float, settings: SignalSettings) -> np.ndarray:
    """Compute the log-mel float16 (N, bands) of `pieces` on a video's timeline."""
    shape = MelShape.of(settings)
    blocks = log_mel(pieces, shape.rows(duration_s), shape)
    return np.concatenate([block.astype(np.float16) for block in blocks])


def noisy(sound: Iterable[Piece], noise: Noise, snr_db: float) -> Iterator[Piece]:
    """Add noise at a signal-to-noise ratio over the complete video.

    The sound is iterated twice; the first pass measures its power and that of the noise. Digital
    silence stays silent.
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
    """Delay the sound by a number of samples."""
    for start, piece in sound:
        yield start + samples, piece


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
        Manifest indexed by video: `path` below the root, and `subject` and `voice` if known.
    root
        Folder of the corpus.
    settings
        Settings of the signal.

    Attributes
    ----------
    digest
        Hash of all voices, because the babble of one video depends on all others.
    """

    def __init__(self, videos: pd.DataFrame, root: Path, settings: SignalSettings) -> None:
        self._videos, self._root, self._settings = videos, root, settings
        self._cached = lru_cache(maxsize=32)(self._read)
        listed = videos.filter(items=_VOICE_COLUMNS).sort_index().to_csv()
        self.digest = hashlib.sha256(listed.encode()).hexdigest()

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
            raise MediaError(f"{self._root}: no video other than {video!r} has sound for babble.")
        return voices

    def sound(self, video: str) -> Sound:
        """Open a video's own sound, or its separate recording."""
        row = self._videos.loc[video]
        name = row.get("sound")
        recording = self._root / name if isinstance(name, str) else None
        cut_s = span_s(row.get("start_s"), row.get("end_s"))
        return sound_of(self._root / row["path"], self._settings, recording, cut_s)

    def _read(self, video: str) -> np.ndarray:
        """Read the first `HEARD_S` of a video's sound: float32 (n,), empty if it is silent."""
        wanted, held = round(HEARD_S * self._settings.sample_rate_hz), [np.zeros(0, np.float32)]
        for _, samples in self.sound(video):
            held.append(samples)
            if sum(map(len, held)) >= wanted:
                break
        sound = np.concatenate(held)[:wanted]
        return sound if _energy(sound) > 0 else sound[:0]


def _energy(samples: np.ndarray) -> float:
    return float(np.square(samples, dtype=np.float64).sum())
