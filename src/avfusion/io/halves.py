"""Names of files and folders that are being written, and removal of those of dead writers.

A name ends in `.half<process>-<writer><random>`. It cannot be guessed, so no link waits under it,
and later commands see whether its writer still runs.
"""

import contextlib
import hashlib
import logging
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

log = logging.getLogger(__name__)

HALF = re.compile(r"\.half(\d+)-([0-9a-f]{16})[0-9a-f]{6}(\.[a-z0-9]+)?$")
"""End of such a name: the process, and 16 digits of where it has this number."""

_LONGEST_BYTES = 255  # of a file name

_ELSEWHERE_S = 86_400.0
"""Age from which what a process of another machine wrote counts as left behind."""


def half_name(name: str, suffix: str = "") -> str:
    """Return a name to write `name` under; unique for this process and call, at most 255 bytes."""
    end = f".half{os.getpid()}-{_where()}{secrets.token_hex(3)}{suffix}"
    begin = os.fsencode(name)[: _LONGEST_BYTES - len(os.fsencode(end))]
    return begin.decode(errors="ignore") + end


@lru_cache(maxsize=1)
def _where() -> str:
    """Return a hash of where a number means one process: machine, start of it, and container."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # not Linux
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def remove_left(folder: Path) -> list[str]:
    """Remove what dead writers left in a folder, not below it; return the names that are gone.

    What may not be removed stays.
    """
    removed = []
    for entry in _entries(folder):
        match = HALF.search(entry.name)
        if match is None or _runs(entry, int(match[1]), match[2]):
            continue
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                Path(entry.path).unlink(missing_ok=True)
            removed.append(entry.name)
            log.info("%s was left by a process that was killed; removed", entry.path)
    return removed


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from list(entries)
    except OSError:  # no such folder, or not ours
        return


def _runs(entry: "os.DirEntry[str]", process: int, where: str) -> bool:
    """Return whether the writer of an entry may still run."""
    if where != _where():
        return time.time() - _changed_s(entry) < _ELSEWHERE_S
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _changed_s(entry: "os.DirEntry[str]") -> float:
    """Return when an entry, or a file in it, was last changed."""
    paths = [entry.path]
    if entry.is_dir(follow_symlinks=False):
        paths += [inner.path for inner in _entries(Path(entry.path))]
    times = [0.0]
    for path in paths:
        with contextlib.suppress(OSError):  # removed meanwhile
            times.append(os.lstat(path).st_mtime)
    return max(times)
