"""Read videos in a separate process, because a native reader can hang or crash on a file.

The process has limits on time, on memory and on the size of a file that it writes. It reads many
videos, so that short ones do not cost a start each. It is replaced after a crash, after the time
limit, and when it has become large.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from avfusion.config.sections import MediaSettings
from avfusion.errors import AvfError, ConfigError, of_place
from avfusion.io.private import current_umask
from avfusion.io.sockets import use_short_sockets
from avfusion.media.job_memory import job_mb
from avfusion.media.limits import DEFAULT, Limits, apply, peak_mb
from avfusion.media.person import Person

_REPORT_EVERY_S = 0.5
_LOG_EVERY_S = 10.0
_LARGE_MB = 800.0  # peak memory after which a process reads no further video

HEAVY = ("avfusion.cli", "avfusion.media.read", "cv2", "torch")

Work = Callable[..., dict[str, Any]]
Report = Callable[[int, int], None]
"""Takes the number of frames that were read and the number that is expected."""

log = logging.getLogger(__name__)


class Reader:
    """A separate process that reads videos, one after the other; use it in a `with` block.

    Parameters
    ----------
    limits
        What it may use.
    preload
        Modules that its server imports once; a process then costs a fork, not an import of torch.
    """

    def __init__(self, limits: Limits = DEFAULT, preload: tuple[str, ...] = HEAVY) -> None:
        self._limits, self._preload = limits, preload
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def attempt(
        self, work: Work, job: tuple[Any, ...], limit_s: float, report: Report | None = None
    ) -> dict[str, Any]:
        """Do a job; return its messages, or under `end` how the process died.

        Parameters
        ----------
        work
            A function of a module: (pipe, *job) -> the last message.
        job
            Its further arguments.
        limit_s
            Seconds after which the process is killed.
        report
            As in `read_apart`.
        """
        process, pipe = self._started()
        state: dict[str, Any] = {}
        try:
            with contextlib.suppress(BrokenPipeError):  # it died meanwhile; `_receive` says how
                pipe.send((work, job))
            state = _receive(pipe, process, limit_s, report or _logged())
        finally:
            if state.pop("large", True):
                self.close()
        return state

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._pipe is not None:
            if self._process.is_alive():
                self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = self._pipe = None

    def _started(self) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        if self._process is not None and self._pipe is not None and self._process.is_alive():
            return self._process, self._pipe
        self.close()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*self._preload])
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, self._limits, current_umask(), job_mb()), daemon=True
        )
        use_short_sockets()
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        return process, ours


def read_apart(
    path: Path,
    folder: Path,
    settings: MediaSettings,
    key: str,
    person: Person,
    reader: Reader | None = None,
    report: Report | None = None,
) -> tuple[dict[str, Any], str]:
    """Read one video in a separate process, which is killed after `settings.time_limit_s`.

    If the process hangs or crashes while decord reads, the video is read again without decord.

    Parameters
    ----------
    path
        The video file.
    folder
        Folder of the record to write.
    settings
        Settings of the media stage.
    key
        Hash of content, settings and code.
    person
        The person and span to read.
    reader
        The process that reads it; by default a new one.
    report
        Called about twice per second with the number of frames read and expected; by default they
        are logged now and then.

    Returns
    -------
    meta : dict
        Meta of the record; empty on failure.
    reason : str
        Why there is no record; empty on success.

    Raises
    ------
    ConfigError
        If the settings or the disk, and not the video, are at fault.
    """
    if reader is None:
        with Reader() as one:
            return read_apart(path, folder, settings, key, person, one, report)
    for use_decord in (True, False):
        job = (str(path), folder, settings, key, use_decord, person)
        state = reader.attempt(_read, job, settings.time_limit_s, report)
        if "meta" in state or "reason" in state:
            break
        state["reason"] = f"{path}: {state['end']}"
        if state.get("reader") == "pyav" or not use_decord:
            break
        log.warning("%s Reading it again without decord.", state.pop("reason"))
    return state.get("meta", {}), state.get("reason", "")


def _receive(
    ours: Connection,
    process: multiprocessing.process.BaseProcess,
    limit_s: float,
    report: Report,
) -> dict[str, Any]:
    state: dict[str, Any] = {}
    until = time.monotonic() + limit_s
    while ours.poll(max(0.0, until - time.monotonic())):
        try:
            message = ours.recv()
        except (EOFError, ConnectionResetError):
            process.join(10)
            return {**state, "end": f"{_death(process.exitcode)} Copy or download the file again."}
        state.update(message)
        if "refused" in state:
            raise ConfigError(state["refused"])
        if "at" not in message:
            return state
        report(*message["at"])
    end = f"not read within {limit_s:g} s. Raise media.time_limit_s, or check the file."
    return {**state, "end": end}


def _logged() -> Report:
    """Return a report that writes a line to the log now and then."""
    began_s = last_s = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= _LOG_EVERY_S:
            last_s = now_s
            left_s = (now_s - began_s) * max(0, total - done) / max(1, done)
            log.info("  frame %d of %d; %.0f s left", done, total, left_s)

    return report


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the reader crashed ({signal.Signals(-code).name})."
    return f"the reader ended without a result (exit code {code})."


def _work(pipe: Connection, limits: Limits, umask: int, job_mb: float) -> None:
    """Do the jobs that arrive, in the child process, and send each result."""
    os.umask(umask)
    apply(limits, job_mb)
    while True:
        try:
            work, job = pipe.recv()
        except EOFError:  # the stage has ended
            return
        result = work(pipe, *job)
        pipe.send({**result, "large": peak_mb() > _LARGE_MB})


def _read(
    pipe: Connection,
    path: str,
    folder: Path,
    settings: MediaSettings,
    key: str,
    decord: bool,
    person: Person,
) -> dict[str, Any]:
    """Read one video; return its meta, or why there is none."""

    def read() -> dict[str, Any]:
        from avfusion.media.read import read_video

        return read_video(Path(path), folder, settings, key, decord, _progress(pipe), person)

    return outcome_of(path, read)


def outcome_of(path: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the meta of a record that `read` writes, or why there is none, as messages."""
    try:
        import cv2
        import torch

        cv2.setNumThreads(1)  # one core per video; shards run in parallel
        torch.set_num_threads(1)
        return {"meta": read()}
    except ConfigError as error:
        return {"refused": str(error)}
    except ImportError as error:
        return {"refused": f"This environment lacks a package ({error}). Run: make env"}
    except AvfError as error:
        return {"reason": str(error)}
    except MemoryError:
        return {"reason": out_of_memory(path)}
    except OSError as error:
        message = f"{path}: {type(error).__name__}: {error}."
        if of_place(error):
            advice = "Free disk space, or make the folder writable, and run the command again."
            return {"refused": f"{message} {advice}"}
        return {"reason": f"{message} Check the file."}
    except Exception as error:  # an unforeseen error in one video must not stop the others
        return {"reason": f"{path}: {type(error).__name__}: {error}. Check the file."}


def out_of_memory(path: str | Path) -> str:
    """Return why a file that needs too much memory was not read."""
    return (
        f"{path}: needs more memory than reading a file may take, {DEFAULT.memory_mb:,} MB or what "
        f"its job has left. Check the file, or convert it to pictures of 1920 x 1080 pixels."
    )


def _progress(pipe: Connection) -> Callable[[int, int, str], None]:
    last_s = time.monotonic()

    def report(done: int, total: int, reader: str) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= _REPORT_EVERY_S:
            last_s = time.monotonic()
            pipe.send({"at": (done, total), "reader": reader})

    return report
