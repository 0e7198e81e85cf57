"""Write files atomically: under another name, flushed to disk, then renamed."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avfusion.errors import AvfError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` if the block succeeds.

    A job killed at any moment leaves the previous file intact. The temporary name contains the
    process ID, so two writers cannot mix. It begins with a dot, so that no pattern matches it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.stem}.half{os.getpid()}{path.suffix}")
    try:
        yield half
        with half.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)


def file_digest(path: Path) -> bytes:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").digest()


@contextmanager
def locked(folder: Path, part: str = "") -> Iterator[None]:
    """Lock a folder, or a named part of it, for one writer; the lock ends with the process.

    Raises
    ------
    AvfError
        If another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / (f".{part}.lock" if part else ".lock")).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AvfError(
                f"{folder / part}: another process is writing it. Wait for it, or stop it and run "
                f"the same command again."
            ) from None
        except OSError:  # a file system without locks
            pass
        yield


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with replacing(path) as half:
        half.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    write_bytes(path, text.encode())


def link_or_copy(file: Path, name: Path) -> None:
    """Make `name` a hard link to `file`, or a copy where links are impossible, atomically."""
    half = name.with_name(f".{name.stem}.half{os.getpid()}{name.suffix}")
    half.unlink(missing_ok=True)
    try:
        try:
            os.link(file, half)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copy2(file, half)
        os.replace(half, name)
    finally:
        half.unlink(missing_ok=True)
