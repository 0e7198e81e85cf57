"""Files that are whole or absent: written under another name, forced to disk, then renamed."""

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
    """Gives a name to write under; at the end it becomes `path`, unless the block failed.

    A job killed at any moment leaves the previous file intact. The name carries the process, so
    two writers cannot mix, and begins with a dot, so that no pattern of ours finds it.
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
    """SHA-256 over a file's content, read in pieces."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").digest()


@contextmanager
def alone(folder: Path, part: str = "") -> Iterator[None]:
    """One writer at a time of a folder, or a named part of it; the lock ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / (f".{part}.lock" if part else ".lock")).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AvfError(
                f"{folder / part}: another process is writing it. Wait for it, or stop it and give "
                f"the same command again."
            ) from None
        except OSError:  # a file system without locks: as good as no lock
            pass
        yield


def write_bytes(path: Path, data: bytes) -> None:
    """Write all or nothing."""
    with replacing(path) as half:
        half.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write all or nothing, as UTF-8."""
    write_bytes(path, text.encode())


def second_name(file: Path, name: Path) -> None:
    """`name` becomes the same file, or a copy where the file system has no links (or is another).

    Whole or absent, as all that is written.
    """
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
