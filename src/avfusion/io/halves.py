"""Names of files and folders that are being written, and removal of those of dead writers.

A name ends in `.half<process>-<host><random>`. Nobody can guess it, so no link waits under it, and
later commands see whether its writer still runs.
"""

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

HALF = re.compile(r"\.half(\d+)(?:-([0-9a-f]{4})[0-9a-f]{6})?(?:\.[a-z0-9]+)?$")
"""End of such a name: the process, and four digits of its host."""

_LONGEST_BYTES = 255  # of a file name

_OTHER_HOST_S = 86_400.0
"""Age from which the folder of a process on another machine counts as left behind."""


def half_name(name: str, suffix: str = "") -> str:
    """Return a name to write `name` under; unique for this process and call, at most 255 bytes."""
    end = f".half{os.getpid()}-{_host()}{secrets.token_hex(3)}{suffix}"
    begin = os.fsencode(name)[: _LONGEST_BYTES - len(os.fsencode(end))]
    return begin.decode(errors="ignore") + end


@lru_cache(maxsize=1)
def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]


def remove_left(folder: Path, name: str = "") -> list[str]:
    """Remove what dead writers left in a folder; return the names that were removed.

    Parameters
    ----------
    folder
        The folder, which is not entered further.
    name
        Only what was to become the folder of this name; by default all of it.
    """
    removed = []
    for entry in _entries(folder):
        match = HALF.search(entry.name)
        if match is None or name not in ("", entry.name[: match.start()]):
            continue
        if _runs(entry, int(match[1]), match[2]):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink(missing_ok=True)
        removed.append(entry.name)
    return removed


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from list(entries)
    except OSError:  # no such folder, or not ours
        return


def _runs(entry: "os.DirEntry[str]", process: int, host: str | None) -> bool:
    """Return whether the writer of an entry may still run."""
    if host is not None and host != _host():
        try:
            return time.time() - entry.stat(follow_symlinks=False).st_mtime < _OTHER_HOST_S
        except OSError:
            return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
