"""Limits of a process that reads files from anywhere: memory, size of a file, no core dump."""

import contextlib
import math
import resource
import sys
import threading
from multiprocessing import parent_process
from os import _exit
from pathlib import Path
from typing import NamedTuple

LEAST_MB = 1024
"""Memory that a reading process has in any job: pictures of 8K need it."""


class Limits(NamedTuple):
    """What a reading process may use."""

    memory_mb: int = 6144  # in addition to what it has at its start; 8K needs 1 GB
    file_mb: int = 16_384  # of each file that it writes: 48 hours of sound and faces
    readers: int = 1  # processes that share what the job has


DEFAULT = Limits()


def apply(limits: Limits, job_mb: float = math.inf) -> None:
    """Limit this process, and end it with the process that started it.

    job_mb: memory of the job, for this process and all others of it.
    """
    parent = parent_process()
    used_mb = resident_mb() + (resident_mb(parent.pid) if parent and parent.pid else 0.0)
    allowed_mb = room_mb(limits.memory_mb, job_mb, used_mb, limits.readers)
    memory = _address_space() + int(allowed_mb * (1 << 20))
    _lower(resource.RLIMIT_FSIZE, limits.file_mb << 20)
    _lower(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":  # macOS has no limit of memory
        _lower(resource.RLIMIT_AS, memory)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def room_mb(most_mb: float, job_mb: float, used_mb: float, readers: int = 1) -> float:
    """Return the memory that a reading process may take.

    Parameters
    ----------
    most_mb
        What it may take where the job has enough.
    job_mb
        What the job has.
    used_mb
        What is taken before it reads.
    readers
        Processes that share the rest; each has `LEAST_MB`, or `most_mb` if that is less.

    Examples
    --------
    >>> room_mb(6144, 4000, 700), room_mb(6144, float("inf"), 700), room_mb(6144, 8000, 800, 2)
    (3300.0, 6144, 3600.0)
    >>> room_mb(6144, 1500, 700), room_mb(256, 1500, 700)
    (1024, 256)
    """
    return min(most_mb, max(LEAST_MB, (job_mb - used_mb) / readers))


def resident_mb(process: int | str = "self") -> float:
    """Return the memory of a process; 0 if the system does not tell it."""
    return _pages(process, 1) * resource.getpagesize() / (1 << 20)


def peak_mb() -> float:
    """Return the peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _lower(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (most, most))


def _address_space() -> int:
    """Return the bytes of this process' address space."""
    return _pages("self", 0) * resource.getpagesize() or 8 << 30


def _pages(process: int | str, column: int) -> int:
    """Return a number of /proc/PROCESS/statm; 0 if there is none."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[column])
    except (OSError, ValueError, IndexError):
        return 0


def _end_with_parent() -> None:
    """End at once if the parent was killed, so that no orphan goes on writing."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        _exit(1)
