"""Limits of a process that reads files from anywhere: memory, size of a file, no core dump."""

import contextlib
import resource
import sys
import threading
from multiprocessing import parent_process
from os import _exit
from pathlib import Path
from typing import NamedTuple


class Limits(NamedTuple):
    """What a reading process may use."""

    memory_mb: int = 6144  # in addition to what it has at its start; 8K needs 1 GB
    file_mb: int = 16_384  # of each file that it writes: 48 hours of sound and faces


DEFAULT = Limits()


def apply(limits: Limits) -> None:
    """Limit this process, and end it with the process that started it."""
    memory = _address_space() + (limits.memory_mb << 20)
    _lower(resource.RLIMIT_FSIZE, limits.file_mb << 20)
    _lower(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":  # macOS has no limit of memory
        _lower(resource.RLIMIT_AS, memory)
    threading.Thread(target=_end_with_parent, daemon=True).start()


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
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError):
        return 8 << 30
    return pages * resource.getpagesize()


def _end_with_parent() -> None:
    """End at once if the parent was killed, so that no orphan goes on writing."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        _exit(1)
