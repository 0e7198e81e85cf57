"""Predict many clips: resume where an earlier call stopped, and list what failed."""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from avfusion.errors import AvfError, of_place
from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import file_digest
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.clip import predict_clip
from avfusion.prediction.find import Clip
from avfusion.prediction.formats.catalogue import FORMATS
from avfusion.prediction.formats.write import write
from avfusion.prediction.request import Request

log = logging.getLogger(__name__)

_WORK = ".avf-work"
"""Folder of temporary files within the output folder; what a killed call left is removed."""


@dataclass(frozen=True)
class Order:
    """What to do with each clip."""

    model: Path
    out: Path
    request: Request = field(default_factory=Request)
    formats: tuple[str, ...] = ("csv", "html")
    embed: bool = False
    files: tuple[tuple[str, Path], ...] = ()
    transcript: Path | None = None
    trust_code: bool = False

    def opened(self) -> Bundle:
        """Open the bundle."""
        return Bundle.open(self.model, dict(self.files), self.trust_code)


@dataclass(frozen=True)
class Outcome:
    """What became of a clip: its files and the remarks about it, or why there are none."""

    clip: Clip
    files: tuple[Path, ...] = ()
    remarks: tuple[str, ...] = ()
    reason: str = ""
    kept: bool = False


def run(clips: Sequence[Clip], order: Order, jobs: int = 1) -> Iterator[Outcome]:
    """Predict clips and write the predictions; yield what became of each, in order.

    Predictions with the same clip, bundle, options and code are kept.
    """
    began, done = time.monotonic(), 0
    with working(order.out):
        for outcome in _outcomes(clips, order, jobs):
            done += 1
            left_s = (time.monotonic() - began) / done * (len(clips) - done)
            if len(clips) > 1:
                log.info("%d of %d clips; %.0f s left", done, len(clips), left_s)
            yield outcome


def _outcomes(clips: Sequence[Clip], order: Order, jobs: int) -> Iterator[Outcome]:
    bundle = order.opened()
    if jobs > 1 and len(clips) > 1:
        workers = min(jobs, len(clips))
        with ProcessPoolExecutor(workers, get_context("spawn"), _start, (order,)) as pool:
            for clip, done in [(clip, pool.submit(_in_worker, clip)) for clip in clips]:
                try:
                    yield done.result()
                except BrokenProcessPool:
                    yield Outcome(clip, reason=f"{clip.path}: {_BROKEN}")
        return
    for clip in clips:
        yield predicted(clip, order, bundle)


_BROKEN = (
    "not predicted, because a process was killed, perhaps for lack of memory. Run the same command "
    "again with fewer --jobs; what is finished is kept."
)


_opened: list[tuple[Order, Bundle]] = []
"""In a worker process, what it predicts with."""


def _start(order: Order) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    _opened.append((order, order.opened()))


def _in_worker(clip: Clip) -> Outcome:
    order, bundle = _opened[0]
    return predicted(clip, order, bundle)


def predicted(clip: Clip, order: Order, bundle: Bundle) -> Outcome:
    """Predict one clip and write it; a clip that cannot be read has a reason."""
    folder = order.out / clip.below
    try:
        key = _key(clip, order, bundle)
        kept = _kept(clip, folder, key, order)
        if kept is not None:
            return Outcome(clip, kept, _remarks(kept[-1]), kept=True)
        work = order.out / _WORK
        prediction = predict_clip(clip.path, bundle, order.request, work, order.transcript)
        keyed = replace(prediction, key=key)
        files = write(keyed, folder, order.formats, order.embed, clip.stem)
        return Outcome(clip, tuple(files), tuple(prediction.remarks))
    except AvfError as error:
        return Outcome(clip, reason=str(error))
    except OSError as error:
        if of_place(error):
            raise
        return Outcome(clip, reason=f"{clip.path}: {type(error).__name__}: {error}.")
    except Exception as error:  # an unforeseen error in one clip must not stop the others
        log.warning("%s failed", clip.path, exc_info=True)
        return Outcome(clip, reason=f"{clip.path}: {type(error).__name__}: {error}.")


def _key(clip: Clip, order: Order, bundle: Bundle) -> str:
    """Hash everything that the predictions of a clip and their files depend on.

    Raises
    ------
    AvfError
        If the file is missing.
    """
    try:
        content = file_digest(clip.path).hex()
    except OSError as error:
        raise AvfError(f"{clip.path}: cannot be read ({error.strerror}). Check the name.") from None
    words = None if order.transcript is None else file_digest(order.transcript).hex()
    place = str(clip.path.absolute())  # files refer to the clip
    code = fingerprint(
        "avfusion.prediction.clip:predict_clip",
        "avfusion.prediction.formats.write:write",
        *(FORMATS[name].code for name in order.formats),
    )
    parts = [content, place, bundle.id, order.request.document(), words, order.embed, code]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _kept(clip: Clip, folder: Path, key: str, order: Order) -> tuple[Path, ...] | None:
    """Return the files of an earlier call if they are complete and have this key."""
    marker = folder / f"{clip.name}.json"
    try:
        facts = json.loads(marker.read_text(encoding="utf-8"))
        if facts["key"] != key:
            return None
        listed = set(facts["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    files = [folder / f"{clip.name}.{FORMATS[name].ending}" for name in order.formats]
    complete = all(path.name in listed and path.exists() for path in files)
    return (*files, marker) if complete else None


def _remarks(marker: Path) -> tuple[str, ...]:
    """Return the remarks in the JSON file of a clip."""
    return tuple(json.loads(marker.read_text(encoding="utf-8")).get("remarks", ()))


@contextmanager
def working(out: Path) -> Iterator[Path]:
    """Keep a folder for temporary files, which hold faces and voices; remove it at the end."""
    folder = out / _WORK
    _remove_old(folder)
    try:
        yield folder
    finally:
        _remove_old(folder)


def _remove_old(folder: Path) -> None:
    """Remove what ended processes left, and the folder if nothing is in use."""
    for used in folder.glob("*-*"):
        if not _alive(used):
            shutil.rmtree(used, ignore_errors=True)
    with suppress(OSError):  # absent, or in use
        folder.rmdir()


def _alive(folder: Path) -> bool:
    """Return whether the process of a temporary folder runs, and is not this one.

    That of another machine counts as running.
    """
    process, _, machine = folder.name.rpartition("-")[0].partition("@")
    if not process.isdigit() or machine != os.uname().nodename:
        return True
    number = int(process)
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return number != os.getpid()
