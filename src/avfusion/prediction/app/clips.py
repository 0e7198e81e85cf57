"""The clips that a server holds: whose they are, how far they are, and when they are removed."""

import hmac
import logging
import os
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from avfusion.errors import AvfError
from avfusion.io.redact import without_paths
from avfusion.prediction.app.options import Options
from avfusion.prediction.app.predictor import Predictor
from avfusion.prediction.app.work import Order, Predicted
from avfusion.prediction.formats.names import as_text, stem_of
from avfusion.prediction.request import Request

log = logging.getLogger(__name__)

Phase = Literal["uploading", "checking", "waiting", "reading", "encoding", "done", "failed"]

ENDED = ("done", "failed")
MOST_CLIPS = 200
"""Most clips of all users together."""

_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}")
_SPARE = 200e6  # bytes that stay free on the disk


class NoClipError(AvfError):
    """There is no such clip, or it is another user's."""


class FullError(AvfError):
    """The server takes no further clip now."""


@dataclass
class Clip:
    """One uploaded file and what became of it.

    Attributes
    ----------
    id
        Unguessable; it is part of the addresses of the clip.
    owner
        The secret of the browser that uploads it.
    name
        Its name without folders.
    size
        Its bytes, as announced.
    request
        Which person and span to predict.
    folder
        Holds the file and what is made of it.
    phase, share
        What is being done, and how much of it is done, 0 to 1.
    message
        Why it failed.
    used_s
        When it was last asked for, on a monotonic clock.
    predicted
        The result.
    kept
        Name of the folder to which results were written, if they are kept.
    removed
        Whether it was cancelled or closed.
    """

    id: str
    owner: str
    name: str
    size: int
    request: Request
    folder: Path
    phase: Phase = "uploading"
    share: float = 0.0
    message: str = ""
    used_s: float = field(default_factory=time.monotonic)
    predicted: Predicted | None = None
    kept: str | None = None
    removed: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / self.name

    @property
    def order(self) -> Order:
        """What a process is asked to do."""
        # No clip has such a name, and a socket is made below: its path may have 107 bytes.
        return Order(self.path, self.request, self.folder / ".w")

    def fail(self, message: str) -> None:
        """Note why it failed, without folders of the server, and remove its files."""
        self.message = without_paths(message.replace(f"{self.folder}{os.sep}", ""))
        self.phase = "failed"
        shutil.rmtree(self.folder, ignore_errors=True)

    def report(self, phase: Phase, share: float) -> None:
        """Note the progress."""
        if self.phase not in ENDED:
            self.phase, self.share = phase, share
            self.used_s = time.monotonic()


class Clips:
    """All clips of a server.

    Parameters
    ----------
    folder
        Where their folders are made.
    options
        Limits.
    predictor
        Predicts them, one after the other.
    """

    def __init__(self, folder: Path, options: Options, predictor: "Predictor[Clip]") -> None:
        self._folder, self._options, self._predictor = folder, options, predictor
        self._clips: dict[str, Clip] = {}
        self._lock = threading.Lock()

    def add(self, owner: str, name: str, size: int, request: Request) -> Clip:
        """Make room for a clip of `size` bytes.

        Raises
        ------
        AvfError
            If it is empty, or larger than the server takes.
        FullError
            If the owner has too many clips, or the disk is full.
        """
        name = clip_name(name)
        if size <= 0:
            raise AvfError(f"{name}: the file is empty (0 bytes). Choose another one.")
        if size > self._options.most_bytes:
            raise AvfError(self.too_large(name, size))
        with self._lock:
            coming = sum(c.size for c in self._clips.values() if c.phase == "uploading")
            if shutil.disk_usage(self._folder).free < size + coming + _SPARE:
                raise FullError(f"{name}: the disk of the server is full. Try again later.")
            if len(self._clips) >= MOST_CLIPS:
                raise FullError(f"{name}: the server holds {MOST_CLIPS} clips. Try again later.")
            if (
                sum(clip.owner == owner for clip in self._clips.values())
                >= self._options.most_clips
            ):
                raise FullError(
                    f"{name}: you have {self._options.most_clips} clips here already. Delete one."
                )
            number = secrets.token_urlsafe(24)
            clip = Clip(number, owner, name, size, request, self._folder / number)
            clip.folder.mkdir(mode=0o700)
            self._clips[number] = clip
        return clip

    def too_large(self, name: str, size: int) -> str:
        """Return the message about a file that is larger than the server takes."""
        return (
            f"{name}: {size / 1e6:.0f} MB or more, and this server takes "
            f"{self._options.most_mb:g} MB. Cut the clip, or start the server with --most-mb."
        )

    def get(self, number: str, owner: str) -> Clip:
        """Return a clip of an owner, and note that it is in use.

        Raises
        ------
        NoClipError
            If there is none, or it is another owner's.
        """
        clip = self._clips.get(number)
        if clip is None or not hmac.compare_digest(clip.owner.encode(), owner.encode()):
            raise NoClipError("There is no such clip. It was deleted, or is not yours.")
        clip.used_s = time.monotonic()
        return clip

    def of(self, owner: str) -> list[Clip]:
        """Return the clips of an owner, the oldest first, and note that they are in use."""
        clips = [clip for clip in list(self._clips.values()) if clip.owner == owner]
        for clip in clips:
            clip.used_s = time.monotonic()
        return clips

    def predict(self, clip: Clip) -> None:
        """Let a clip wait for its prediction."""
        if not clip.removed:
            clip.report("waiting", 0.0)
            self._predictor.add(clip)

    def state(self, clip: Clip) -> dict[str, Any]:
        """Return what the page shows of a clip."""
        return {
            "id": clip.id,
            "name": as_text(clip.name),
            "phase": clip.phase,
            "share": round(clip.share, 4),
            "place": self._predictor.place(clip),
            "message": clip.message,
        }

    def remove(self, clip: Clip) -> None:
        """Cancel what is done with a clip, and remove it with all its files."""
        clip.removed = True
        self._predictor.cancel(clip)
        with self._lock:
            self._clips.pop(clip.id, None)
        shutil.rmtree(clip.folder, ignore_errors=True)

    def remove_unused(self) -> None:
        """Remove clips that were not asked for within the time that clips stay.

        Those that wait or are being predicted stay until they have ended.
        """
        for clip in list(self._clips.values()):
            if clip.phase not in (*ENDED, "uploading"):
                continue
            if time.monotonic() - clip.used_s > self._options.idle_s:
                self.remove(clip)


def clip_name(name: str) -> str:
    """Return the name of a file as it is stored: without folders and odd characters.

    >>> clip_name("../talk 1.MP4"), clip_name("x"), clip_name("a.b/c")
    ('_.._talk 1.MP4', 'x', 'a.b_c')
    """
    tail = Path(name.replace("\\", "/")).suffix
    ending = tail if _ENDING.fullmatch(tail) else ""
    return stem_of(f"{name.removesuffix(ending)}.x") + ending
