"""Bytes of a recording that is still being written: a growing file, a named pipe, or stdin."""

import hashlib
import os
import select
import stat
import sys
import threading
import time
from pathlib import Path

from avfusion.errors import MediaError
from avfusion.media.kinds import refuse_other_head

POLL_S = 0.1
HEAD = 4096

RECORD = (
    "Record in Matroska (.mkv), MPEG-TS (.ts) or fragmented MP4 (`ffmpeg -movflags "
    "frag_keyframe+empty_moov`)"
)

CAMERA = (
    "ffmpeg -f v4l2 -i /dev/video0 -f alsa -i default -c:v libx264 -preset veryfast -tune "
    "zerolatency -g 25 -c:a aac -f matroska - | avf predict --live -"
)


class Source:
    """A file object that waits for bytes which are not written yet; PyAV reads it.

    Parameters
    ----------
    name
        Path of a file or a named pipe, or `-` for standard input.
    idle_s
        A file that has not grown for so many seconds has ended.
    stop
        Ends the bytes when it is set.

    Raises
    ------
    MediaError
        If it cannot be read, or is a device.
    """

    def __init__(self, name: str, idle_s: float, stop: threading.Event) -> None:
        self.name = "standard input" if name == "-" else name
        self.path = Path("stdin" if name == "-" else name)
        self._idle_s, self._stop = idle_s, stop
        self._hash = hashlib.sha256()
        self._held = b""
        self._any = self._over = False  # FFmpeg reads again after the end
        self._fd = sys.stdin.fileno() if name == "-" else _opened(self.path)
        mode = os.fstat(self._fd).st_mode
        self._grows = stat.S_ISREG(mode)
        if stat.S_ISCHR(mode):
            self.close()
            what = "a terminal" if name == "-" else "a device"
            raise MediaError(f"{self.name}: {what}, not a recording. Run: {CAMERA}")
        if stat.S_ISDIR(mode):
            self.close()
            raise MediaError(f"{self.name}: a folder. Name one file that is being written.")

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes that were read."""
        return self._hash.hexdigest()

    def check(self) -> None:
        """Wait for the first bytes and refuse what is no media, or cannot be read while it grows.

        Raises
        ------
        MediaError
            If nothing arrives, or the first bytes show that it cannot be read.
        """
        while len(self._held) < HEAD and (more := self._more(HEAD)):
            self._held += more
        if not self._held:
            waited = f" within {self._idle_s:g} s" if self._grows else ""
            raise MediaError(f"{self.name}: nothing arrived{waited}. Start the recording first.")
        refuse_other_head(self.path, self._held[:HEAD])
        if _index_is_last(self._held):
            raise MediaError(
                f"{self.name}: MP4 with its index at the end, which cannot be read while it grows. "
                f"{RECORD}; or, after the recording, leave out --live."
            )

    def read(self, size: int) -> bytes:
        """Return the next bytes, at least one; none at the end."""
        if not self._held:
            return self._more(size)
        now, self._held = self._held[:size], self._held[size:]
        return now

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._fd != 0:
            os.close(self._fd)

    def _more(self, size: int) -> bytes:
        since = time.monotonic()
        while not self._stop.is_set() and not self._over:
            if self._grows or select.select([self._fd], [], [], POLL_S)[0]:
                data = self._taken(size)
                if data:
                    self._any = True
                    self._hash.update(data)
                    return data
                self._over = self._ended(time.monotonic() - since)
                time.sleep(POLL_S)
        return b""

    def _taken(self, size: int) -> bytes:
        try:
            return os.read(self._fd, size)
        except BlockingIOError:
            return b""

    def _ended(self, waited_s: float) -> bool:
        """Return whether no byte follows: a pipe without a writer, once there was one."""
        if self._grows:
            return waited_s >= self._idle_s
        return self._any or self._fd == 0


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe may have no writer yet
    except FileNotFoundError:
        what = "no such device" if path.is_relative_to("/dev") else "no such file"
        raise MediaError(f"{path}: {what}. Start the recording first, or run: {CAMERA}") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}). Check the name.") from None


def _index_is_last(head: bytes) -> bool:
    """Return whether the first bytes are those of an MP4 or MOV file that has media before `moov`.

    >>> _index_is_last(bytes(3) + bytes([8]) + b"free" + bytes(4) + b"mdat")
    True
    >>> _index_is_last(bytes(3) + bytes([8]) + b"free" + bytes(4) + b"moov")
    False
    """
    at = 0
    while (kind := head[at + 4 : at + 8]) in (b"ftyp", b"free", b"skip", b"wide"):
        at += max(8, int.from_bytes(head[at : at + 4]))
    return kind == b"mdat"
