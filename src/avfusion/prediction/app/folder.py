"""The temporary folder of a server; what a killed server left is removed at the next start."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "avf-serve-"
_LOCK = "lock"
_STARTING_S = 60.0
"""A folder without a lock is that of a server that is starting, if it is not older than this."""


@contextmanager
def temporary(base: Path | None = None) -> Iterator[Path]:
    """Yield a folder that only this user can read; it is removed at the end.

    A server holds a lock in its folder, and the lock ends with its process. Folders whose lock is
    free are those of killed servers, and are removed first.

    Parameters
    ----------
    base
        Folder to make it in; by default that of the system.
    """
    base = base or Path(tempfile.gettempdir())
    _remove_left(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    try:
        with (folder / _LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}*"):
        try:
            status = folder.lstat()
            if folder.is_symlink() or status.st_uid != os.getuid() or _in_use(folder):
                continue
        except OSError:  # removed meanwhile, or not ours
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _in_use(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime < _STARTING_S
    except BlockingIOError:
        return True
    return False
