"""Read the times of frames and sound of many videos, and what is odd about them.

Results are cached by the video's SHA-256 and the code, so that verifying a corpus again takes
seconds.
"""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from avfusion.config.sections import TimeZero
from avfusion.errors import MediaError, NotVideoError
from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import replacing
from avfusion.media.isolate import HEAVY, Reader, out_of_memory
from avfusion.media.job_memory import job_mb
from avfusion.media.limits import DEFAULT, LEAST_MB, resident_mb
from avfusion.media.probe import probe
from avfusion.media.sound_only import probe_sound, span_s
from avfusion.media.sound_track import choose

log = logging.getLogger(__name__)


_LIMIT_S, _SLOWEST_BYTES_PER_S = 300.0, 1 << 20
"""Time for the packets of a file: five minutes, and a second per MB for slow file servers."""

_NONE, _NO_SOUND = np.empty(0), (np.nan, np.nan)


@dataclass(frozen=True)
class Timing:
    """Times of one video, in seconds from its time 0."""

    times_s: np.ndarray  # float64 (F,), ascending
    end_s: float  # of the last frame
    sound_s: tuple[float, float]  # first and last instant of the track that is read, or NaN
    reason: str = ""  # why it could not be read
    warnings: tuple[str, ...] = ()  # what is odd about its pictures and sound
    is_video: bool = True  # False for a table, an array, a still picture or sound only

    @property
    def has_sound(self) -> bool:
        """Whether there is a sound track that can be read and is not digital silence."""
        return not np.isnan(self.sound_s[0])

    def at(self, rows: int) -> np.ndarray:
        """Return the times of `rows` frames (rows,), truncated or extended by the last interval."""
        have = self.times_s
        if rows <= len(have):
            return have[:rows]
        step_s = float(have[-1] - have[-2]) if len(have) > 1 else self.end_s or 1 / 30
        return np.concatenate([have, have[-1] + step_s * np.arange(1, rows - len(have) + 1)])


def without_frames(duration_s: float) -> Timing:
    """Return the timing of something that has a length and no frames, such as features."""
    return Timing(_NONE, duration_s, _NO_SOUND)


def timings(
    videos: Iterable[tuple[str, Path, str]], cache: Path, time_zero: TimeZero = "picture"
) -> dict[str, Timing]:
    """Read the timing of videos.

    Parameters
    ----------
    videos
        (name, path, SHA-256) of each video.
    cache
        Folder of earlier results.
    time_zero
        What time 0 is, as in `probe`.

    Returns
    -------
    dict
        Name -> timing; that of a video that cannot be read has a `reason`.
    """
    results: dict[str, Timing] = {}
    left: dict[str, tuple[Path, Path]] = {}
    code = fingerprint(__name__) + ("" if time_zero == "picture" else f"_{time_zero}")
    for name, path, sha256 in videos:
        kept = cache / code / f"{sha256}.npz"
        if kept.is_file():
            results[name] = _load(kept)
        else:
            left[name] = path, kept
    began = logged = time.monotonic()
    done = 0
    for name, timing in _read_all({name: path for name, (path, _) in left.items()}, time_zero):
        results[name], done = timing, done + 1
        if not timing.reason:
            _store(timing, left[name][1])
        if time.monotonic() - logged > 5:
            logged = time.monotonic()
            to_go_s = (logged - began) / done * (len(left) - done)
            log.info("reading times: %d of %d videos, about %.0f s left", done, len(left), to_go_s)
    return results


def _read_all(paths: dict[str, Path], time_zero: TimeZero) -> Iterator[tuple[str, Timing]]:
    """Read in processes of their own; the first frame and pieces of the sound are decoded."""
    if not paths:
        return
    room = (job_mb() - resident_mb()) / LEAST_MB
    count = int(max(1, min(2 * len(os.sched_getaffinity(0)), len(paths), room)))
    limits = DEFAULT._replace(readers=count)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        free: SimpleQueue[Reader] = SimpleQueue()
        for _ in range(count):
            free.put(stack.enter_context(Reader(limits, _preload())))
        jobs = {
            pool.submit(_timed_apart, path, time_zero, free): name for name, path in paths.items()
        }
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _preload() -> tuple[str, ...]:
    """Return what the server of the processes imports; torch takes seconds and is not needed."""
    return HEAVY if "torch" in sys.modules else ("avfusion.media.timing",)


def _timed_apart(path: Path, time_zero: TimeZero, free: "SimpleQueue[Reader]") -> Timing:
    reader = free.get()
    try:
        size = path.stat().st_size if isfile(path) else 0
        limit_s = _LIMIT_S + size / _SLOWEST_BYTES_PER_S
        state = reader.attempt(_job, (path, time_zero), limit_s, report=lambda done, total: None)
    finally:
        free.put(reader)
    if "timing" in state:
        timing: Timing = state["timing"]
        return timing
    return Timing(_NONE, 0.0, _NO_SOUND, state.get("reason") or f"{path}: {state['end']}")


def _job(pipe: Any, path: Path, time_zero: TimeZero) -> dict[str, Any]:
    """Read a timing in the process of a `Reader`."""
    try:
        return {"timing": read_timing(path, time_zero)}
    except MemoryError:
        return {"reason": out_of_memory(path)}
    except Exception as error:  # of a file that is no video and whose sound is strange
        return {"reason": f"{path}: cannot be read ({type(error).__name__}: {error})."}


def read_timing(path: Path, time_zero: TimeZero = "picture") -> Timing:
    """Read one video's timing from its packets."""
    try:
        file = probe(path, time_zero)
        sound = choose(path, file.sounds)
        sound_s = span_s(path, sound.index, file.clock(of_sound=True))
    except NotVideoError as error:
        return _sound_only(path, str(error))
    except MediaError as error:
        return Timing(_NONE, 0.0, _NO_SOUND, str(error))
    except MemoryError:
        raise
    except Exception as error:  # one strange file must not end the check of a corpus
        reason = f"{path}: cannot be read ({type(error).__name__}: {error}). Use another file."
        return Timing(_NONE, 0.0, _NO_SOUND, reason)
    return Timing(file.times_s, file.duration_s, sound_s, warnings=file.warnings + sound.warnings)


def _sound_only(path: Path, reason: str) -> Timing:
    """Describe a file that is no video: a recording without pictures, or no media file at all."""
    try:
        file, warnings = probe_sound(path), choose(path).warnings
    except MediaError:
        return Timing(_NONE, 0.0, _NO_SOUND, reason, is_video=False)
    end_s = file.duration_s
    return Timing(_NONE, end_s, (0.0, end_s), reason, warnings, is_video=False)


def _store(timing: Timing, path: Path) -> None:
    with replacing(path) as half, half.open("wb") as file:
        ends_s, warnings = [timing.end_s, *timing.sound_s], np.array(timing.warnings, np.str_)
        np.savez(file, times_s=timing.times_s, ends_s=ends_s, warnings=warnings)


def _load(path: Path) -> Timing:
    with np.load(path, allow_pickle=False) as kept:
        end_s, *sound_s = kept["ends_s"].tolist()
        warnings = tuple(kept["warnings"].tolist())
        return Timing(kept["times_s"], end_s, tuple(sound_s), warnings=warnings)
