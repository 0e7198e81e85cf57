"""Write files atomically: under another name, flushed to disk, then renamed."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from avfusion.errors import AvfError
from avfusion.io.halves import half_name

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
"""A file that must not exist yet, not even as a link."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` if the block succeeds.

    A job killed at any moment leaves the previous file intact. The temporary name contains the
    process ID and a random part, so two writers cannot mix, and a link that somebody else put into
    a shared folder is not followed. It begins with a dot, so that no pattern matches it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(half_name(f".{path.stem}", path.suffix))
    os.close(os.open(half, _NEW, 0o666))
    try:
        yield half
        with open(os.open(half, os.O_RDWR | os.O_NOFOLLOW), "rb+") as file:
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
    with lock_file(folder / (f".{part}.lock" if part else ".lock")) as file:
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


def lock_file(path: Path) -> IO[str]:
    """Open a file to lock; it is never emptied.

    Raises
    ------
    AvfError
        If it is a link, which could lead to a file of somebody else, or may not be written.
    """
    try:
        return open(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+", encoding="utf-8"
        )
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise AvfError(f"{path}: a link, not a lock file. Remove it: `rm '{path}'`.") from None
        if isinstance(error, PermissionError):
            raise AvfError(
                f"{path}: it belongs to another user and may not be written. Ask for write "
                f"permission for your group, or set another folder with --results."
            ) from None
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with replacing(path) as half:
        half.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    write_bytes(path, text.encode())


def link_or_copy(file: Path, name: Path) -> None:
    """Make `name` a hard link to `file`, or a copy where links are impossible, atomically."""
    half = name.with_name(half_name(f".{name.stem}", name.suffix))
    try:
        try:
            os.link(file, half)
        except FileNotFoundError:
            raise
        except OSError:
            os.close(os.open(half, _NEW, 0o666))
            shutil.copy2(file, half)
        os.replace(half, name)
    finally:
        half.unlink(missing_ok=True)
