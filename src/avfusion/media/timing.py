"""Read the times of frames and sound of many videos, without decoding.

Results are cached by the video's SHA-256 and the code, so that verifying a corpus again takes
seconds.
"""

import logging
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from avfusion.errors import MediaError
from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import replacing
from avfusion.media.probe import probe

log = logging.getLogger(__name__)


_NONE = np.empty(0)


@dataclass(frozen=True)
class Timing:
    """Times of one video, in seconds from its first displayed frame."""

    times_s: np.ndarray  # float64 (F,), ascending
    end_s: float  # of the last frame
    sound_s: tuple[float, float]  # first and last instant of the sound; NaN without sound
    reason: str = ""  # why it could not be read

    @property
    def has_sound(self) -> bool:
        """Whether there is a sound track with timestamps."""
        return not np.isnan(self.sound_s[0])

    def at(self, rows: int) -> np.ndarray:
        """Return the times of `rows` frames (rows,), truncated or extended by the last interval."""
        have = self.times_s
        if rows <= len(have):
            return have[:rows]
        step_s = float(have[-1] - have[-2]) if len(have) > 1 else self.end_s or 1 / 30
        return np.concatenate([have, have[-1] + step_s * np.arange(1, rows - len(have) + 1)])


def timings(videos: Iterable[tuple[str, Path, str]], cache: Path) -> dict[str, Timing]:
    """Read the timing of videos.

    Parameters
    ----------
    videos
        (name, path, SHA-256) of each video.
    cache
        Folder of earlier results.

    Returns
    -------
    dict
        Name -> timing; that of a video that cannot be read has a `reason`.
    """
    results: dict[str, Timing] = {}
    left: dict[str, tuple[Path, Path]] = {}
    code = fingerprint(__name__)
    for name, path, sha256 in videos:
        kept = cache / code / f"{sha256}.npz"
        if kept.is_file():
            results[name] = _load(kept)
        else:
            left[name] = path, kept
    began = logged = time.monotonic()
    done = 0
    for name, timing in _read_all({name: path for name, (path, _) in left.items()}):
        results[name], done = timing, done + 1
        if not timing.reason:
            _store(timing, left[name][1])
        if time.monotonic() - logged > 5:
            logged = time.monotonic()
            to_go_s = (logged - began) / done * (len(left) - done)
            log.info("reading times: %d of %d videos, about %.0f s left", done, len(left), to_go_s)
    return results


def _read_all(paths: dict[str, Path]) -> Iterable[tuple[str, Timing]]:
    """Read in threads; only the first frame of each video is decoded."""
    with ThreadPoolExecutor(2 * len(os.sched_getaffinity(0))) as pool:
        jobs = {pool.submit(read_timing, path): name for name, path in paths.items()}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def read_timing(path: Path) -> Timing:
    """Read one video's timing from its packets."""
    try:
        file = probe(path)
        sound_s = _sound(path, file.origin_s) if file.audio else (np.nan, np.nan)
    except (MediaError, av.FFmpegError) as error:
        return Timing(_NONE, 0.0, (np.nan, np.nan), str(error))
    return Timing(file.times_s, file.duration_s, sound_s)


def _sound(path: Path, origin_s: float) -> tuple[float, float]:
    first, last = np.inf, -np.inf
    with av.open(str(path)) as container:
        stream = container.streams.best("audio")
        for packet in container.demux(stream):
            if packet.pts is None or packet.size == 0:
                continue
            first = min(first, float(packet.pts * packet.time_base))
            last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return (first - origin_s, last - origin_s) if np.isfinite(first) else (np.nan, np.nan)


def _store(timing: Timing, path: Path) -> None:
    with replacing(path) as half, half.open("wb") as file:
        np.savez(file, times_s=timing.times_s, ends_s=[timing.end_s, *timing.sound_s])


def _load(path: Path) -> Timing:
    with np.load(path, allow_pickle=False) as kept:
        end_s, *sound_s = kept["ends_s"].tolist()
        return Timing(kept["times_s"], end_s, tuple(sound_s))
