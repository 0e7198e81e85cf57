"""SHA-256 of many files at once: in threads, remembered on disk, told while it runs.

What was read is appended to a log at once, so a stopped run goes on where it was. A file counts as
read before if its path, size and time of change are the same.
"""

import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from avfusion.io.atomic import file_digest

log = logging.getLogger(__name__)


SIZE = 32  # bytes of a SHA-256


NOTHING = hashlib.sha256().digest()  # of an empty file, which need not be opened


_KEY = 16


_RECORD = _KEY + SIZE


_BATCH_FILES, _BATCH_BYTES = 256, 64 << 20


_SPEAK_EVERY_S = 5.0


def workers() -> int:
    """Threads that read: most of the time each waits for a disk or a file server."""
    return min(32, 4 * len(os.sched_getaffinity(0)))


def keys(paths: list[str], sizes: np.ndarray, changed_ns: np.ndarray) -> np.ndarray:
    """What files were read as, S16 (n,)."""
    rows = zip(paths, sizes.tolist(), changed_ns.tolist(), strict=True)
    made = b"".join(
        hashlib.blake2b(f"{p}\0{s}\0{t}".encode(), digest_size=_KEY).digest() for p, s, t in rows
    )
    return np.frombuffer(made, f"S{_KEY}")


class Remembered:
    """The log of digests: found by key, grown by appending; 48 bytes a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        # A run that was killed may have left half a record; what follows it would be out of step.
        self._file.truncate(path.stat().st_size // _RECORD * _RECORD)
        rows = np.fromfile(path, np.uint8).reshape(-1, _RECORD)
        known = np.ascontiguousarray(rows[:, :_KEY]).view(f"S{_KEY}")[:, 0]
        order = np.argsort(known, kind="stable")
        self._keys, self._rows, self._order = known[order], rows, order

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Digests uint8 (n, 32) of keys (n,), and which of them were found, bool (n,)."""
        if not len(self._keys):
            return np.zeros((len(wanted), SIZE), np.uint8), np.zeros(len(wanted), bool)
        at = np.searchsorted(self._keys, wanted).clip(max=len(self._keys) - 1)
        return self._rows[self._order[at], _KEY:], self._keys[at] == wanted

    def add(self, new: np.ndarray, digests: np.ndarray) -> None:
        """Append and hand to the system, so that a kill loses one batch at most."""
        raw = np.frombuffer(new.tobytes(), np.uint8).reshape(-1, _KEY)
        self._file.write(np.hstack([raw, digests]).tobytes())
        self._file.flush()

    def close(self) -> None:
        """Close the log."""
        self._file.close()


class Progress:
    """A line every few seconds: what is done, of how much, and about how long it will take."""

    def __init__(self, what: str, files: int, size: int) -> None:
        self.what, self.files, self.size = what, files, size
        self.done_files = self.done_bytes = 0
        self._began = self._said = time.monotonic()

    def step(self, files: int, size: int) -> None:
        """So much more is done."""
        self.done_files += files
        self.done_bytes += size
        now = time.monotonic()
        if now - self._said < _SPEAK_EVERY_S:
            return
        self._said = now
        # A file costs about as much as 100 kB of reading, whatever is in it.
        share = (self.done_bytes + 1e5 * self.done_files) / (self.size + 1e5 * self.files)
        left_s = (now - self._began) * (1 / share - 1)
        log.info(
            f"{self.what}: {self.done_files:,} of {self.files:,} files, "
            f"{self.done_bytes / 1e9:.1f} of {self.size / 1e9:.1f} GB, about {left_s:.0f} s left"
        )


def batches(sizes: np.ndarray) -> Iterator[slice]:
    """Runs of files that one thread reads in one go."""
    begin = held = 0
    for at, size in enumerate(sizes.tolist()):
        held += size
        if at + 1 - begin >= _BATCH_FILES or held >= _BATCH_BYTES:
            yield slice(begin, at + 1)
            begin, held = at + 1, 0
    if begin < len(sizes):
        yield slice(begin, len(sizes))


class Reader:
    """Threads that hash batches; a few wait, so that memory does not grow with the tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pool = ThreadPoolExecutor(workers())
        self._waiting: deque[tuple[Future, object]] = deque()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def put(self, paths: list[str], tag: object) -> Iterator[tuple[object, list[bytes | str]]]:
        """Queue a batch; gives the batches that are finished in the meantime."""
        self._waiting.append((self._pool.submit(self._read, paths), tag))
        while len(self._waiting) > 4 * workers():
            yield self._first()

    def rest(self) -> Iterator[tuple[object, list[bytes | str]]]:
        """Everything that is still under way; a text in place of a digest says why not."""
        while self._waiting:
            yield self._first()

    def _first(self) -> tuple[object, list[bytes | str]]:
        job, tag = self._waiting.popleft()
        return tag, job.result()

    def _read(self, paths: list[str]) -> list[bytes | str]:
        return [_sha256(self.root / path) for path in paths]


def _sha256(path: Path) -> bytes | str:
    try:
        return file_digest(path)
    except OSError as error:
        return f"{type(error).__name__}: {error.strerror}"
