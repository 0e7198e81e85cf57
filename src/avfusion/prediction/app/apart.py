"""A process of its own that does one job after the other, and can be stopped in the middle.

A native reader can hang or crash on a file. The process is then replaced, and the server goes on.
It leads a process group with everything that it starts, so all of it ends together. If the server
is killed, the group ends by itself.
"""

import logging
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from avfusion.errors import AvfError, MediaError
from avfusion.io.sockets import use_short_sockets

log = logging.getLogger(__name__)

Report = Callable[[str, float], None]
Work = Callable[[Any, Report], Any]
"""Takes a job and a report, and returns its result."""


class Apart:
    """A process that does jobs.

    Parameters
    ----------
    prepare
        Called once in the process, with `args`; returns the work for each job. It must be a
        function of a module.
    args
        Its arguments.
    temporary
        Folder for all temporary files of the process and of what it starts.
    """

    def __init__(self, prepare: Callable[..., Work], *args: Any, temporary: Path) -> None:
        self._prepare, self._args, self._temporary = prepare, args, temporary
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the process, so that the first job does not wait for it."""
        self._started()

    def do(self, job: Any, report: Report, limit_s: float | None = None) -> Any:
        """Do a job and return its result.

        Raises
        ------
        AvfError
            If the job failed, took more than `limit_s`, or its process crashed or was stopped.
        """
        process, pipe = self._started()
        try:
            pipe.send(job)
            while pipe.poll(limit_s):
                kind, *given = pipe.recv()
                if kind == "at":
                    report(*given)
                elif kind == "done":
                    return given[0]
                else:
                    raise AvfError(given[0])
        except (EOFError, OSError):
            process.join(10)
            self.stop()
            raise MediaError(_death(process.exitcode)) from None
        self.stop()
        raise MediaError(f"not done within {limit_s:g} s. Check the file, or use a shorter one.")

    def stop(self) -> None:
        """Kill the process and all that it started; the next job starts a new one."""
        with self._lock:
            if self._process is not None and self._process.pid is not None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.kill()
                self._process.join()
            self._process = self._pipe = None

    def _started(self) -> tuple[BaseProcess, Connection]:
        with self._lock:
            if self._process is None or self._pipe is None or not self._process.is_alive():
                context = multiprocessing.get_context("spawn")
                self._pipe, theirs = context.Pipe()
                self._process = context.Process(
                    target=_run, args=(theirs, self._temporary, self._prepare, self._args)
                )
                self._process.start()
                theirs.close()
            return self._process, self._pipe


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the process that read it crashed ({signal.Signals(-code).name}). Check the file."
    return f"the process that read it ended without a result (exit code {code}). Check the file."


def _run(
    pipe: Connection, temporary: Path, prepare: Callable[..., Work], args: tuple[Any, ...]
) -> None:
    """Do the jobs that arrive, in the child process."""
    os.setsid()
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    use_short_sockets()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    problem = ""
    work: Work | None = None
    try:
        work = prepare(*args)
    except AvfError as error:
        problem = str(error)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(("failed", problem) if work is None else _answer(pipe, work, job))


def _answer(pipe: Connection, work: Work, job: Any) -> tuple[str, Any]:
    try:
        return "done", work(job, lambda phase, share: pipe.send(("at", phase, share)))
    except AvfError as error:
        return "failed", str(error)
    except Exception as error:  # an unforeseen error in one clip must not stop the others
        log.warning("a clip failed", exc_info=True)
        return "failed", f"{type(error).__name__}: {error}. Check the file."


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os.killpg(os.getpgrp(), signal.SIGKILL)
