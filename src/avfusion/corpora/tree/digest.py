"""SHA-256 of many files: computed in threads, cached on disk, with progress messages.

Each digest is appended to the cache when it is computed, so a stopped run resumes. A cached digest
is valid for the same path, size and modification time.
"""

import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Generic, Self, TypeVar

import numpy as np

from avfusion.io.atomic import file_digest

log = logging.getLogger(__name__)

T = TypeVar("T")

SIZE = 32  # bytes of a SHA-256
NOTHING = hashlib.sha256().digest()  # of an empty file, which need not be opened
_KEY = 16
_RECORD = _KEY + SIZE
_BATCH_FILES, _BATCH_BYTES = 256, 64 << 20
LOG_EVERY_S = 5.0


def workers() -> int:
    """Return the number of reading threads; each mostly waits for a disk or a file server."""
    return min(32, 4 * len(os.sched_getaffinity(0)))


def keys(paths: list[str], sizes: np.ndarray, changed_ns: np.ndarray) -> np.ndarray:
    """Return the keys of files in the cache, S16 (n,)."""
    rows = zip(paths, sizes.tolist(), changed_ns.tolist(), strict=True)
    made = b"".join(
        hashlib.blake2b(f"{p}\0{s}\0{t}".encode(), digest_size=_KEY).digest() for p, s, t in rows
    )
    return np.frombuffer(made, f"S{_KEY}")


class DigestCache:
    """Digests on disk, found by key and appended to; 48 bytes per file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        # A killed run may leave half a record, which would misalign all records after it.
        self._file.truncate(path.stat().st_size // _RECORD * _RECORD)
        rows = np.fromfile(path, np.uint8).reshape(-1, _RECORD)
        known = np.ascontiguousarray(rows[:, :_KEY]).view(f"S{_KEY}")[:, 0]
        order = np.argsort(known, kind="stable")
        self._keys, self._rows, self._order = known[order], rows, order

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return digests, uint8 (n, 32), of keys (n,) and whether each is cached, bool (n,)."""
        if not len(self._keys):
            return np.zeros((len(wanted), SIZE), np.uint8), np.zeros(len(wanted), bool)
        at = np.searchsorted(self._keys, wanted).clip(max=len(self._keys) - 1)
        return self._rows[self._order[at], _KEY:], self._keys[at] == wanted

    def add(self, new: np.ndarray, digests: np.ndarray) -> None:
        """Append digests and flush, so that a killed run loses one batch at most."""
        raw = np.frombuffer(new.tobytes(), np.uint8).reshape(-1, _KEY)
        self._file.write(np.hstack([raw, digests]).tobytes())
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Progress:
    """Log every few seconds what is done, the total, and the estimated time left."""

    def __init__(self, what: str, files: int, size: int) -> None:
        self.what, self.files, self.size = what, files, size
        self.done_files = self.done_bytes = 0
        self._began = self._logged = time.monotonic()

    def step(self, files: int, size: int) -> None:
        """Add files and bytes that are done."""
        self.done_files += files
        self.done_bytes += size
        now = time.monotonic()
        if now - self._logged < LOG_EVERY_S:
            return
        self._logged = now
        # Opening a file costs about as much as reading 100 kB.
        share = (self.done_bytes + 1e5 * self.done_files) / (self.size + 1e5 * self.files)
        left_s = (now - self._began) * (1 / share - 1)
        log.info(
            f"{self.what}: {self.done_files:,} of {self.files:,} files, "
            f"{self.done_bytes / 1e9:.1f} of {self.size / 1e9:.1f} GB, about {left_s:.0f} s left"
        )


def batches(sizes: np.ndarray) -> Iterator[slice]:
    """Yield ranges of consecutive files that one thread reads as one job."""
    begin = size_sum = 0
    for at, size in enumerate(sizes.tolist()):
        size_sum += size
        if at + 1 - begin >= _BATCH_FILES or size_sum >= _BATCH_BYTES:
            yield slice(begin, at + 1)
            begin, size_sum = at + 1, 0
    if begin < len(sizes):
        yield slice(begin, len(sizes))


class Reader(Generic[T]):
    """Threads that hash batches of files.

    The queue is bounded, so that memory does not grow with the number of files. Each batch has a
    tag, which is returned with its digests. A string instead of a digest is the reason why a file
    could not be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pool = ThreadPoolExecutor(workers())
        self._waiting: deque[tuple[Future[list[bytes | str]], T]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def put(self, paths: list[str], tag: T) -> Iterator[tuple[T, list[bytes | str]]]:
        """Queue a batch and yield batches that have finished in the meantime."""
        self._waiting.append((self._pool.submit(self._read, paths), tag))
        while len(self._waiting) > 4 * workers():
            yield self._first()

    def rest(self) -> Iterator[tuple[T, list[bytes | str]]]:
        """Yield all batches that are still in the queue."""
        while self._waiting:
            yield self._first()

    def _first(self) -> tuple[T, list[bytes | str]]:
        job, tag = self._waiting.popleft()
        return tag, job.result()

    def _read(self, paths: list[str]) -> list[bytes | str]:
        return [_sha256(self.root / path) for path in paths]


def _sha256(path: Path) -> bytes | str:
    try:
        return file_digest(path)
    except OSError as error:
        return f"{type(error).__name__}: {error.strerror}"
