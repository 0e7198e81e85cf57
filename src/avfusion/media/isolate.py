"""Read one video in a separate process, because a native reader can hang or crash on a file."""

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from avfusion.config.sections import MediaSettings
from avfusion.errors import AvfError, ConfigError, of_place
from avfusion.media.person import Person

_REPORT_EVERY_S = 10.0


log = logging.getLogger(__name__)


def read_apart(
    path: Path, folder: Path, settings: MediaSettings, key: str, person: Person
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
    for use_decord in (True, False):
        job = (str(path), folder, settings, key, use_decord, person)
        state = _attempt(job, settings.time_limit_s)
        if "meta" in state or "reason" in state:
            break
        state["reason"] = f"{path}: {state['end']}"
        if state.get("reader") == "pyav" or not use_decord:
            break
        log.warning("%s Reading it again without decord.", state.pop("reason"))
    return state.get("meta", {}), state.get("reason", "")


def _attempt(job: tuple[Any, ...], limit_s: float) -> dict[str, Any]:
    """Run `_work` in a new process; return its messages, or under `end` how it died."""
    context = multiprocessing.get_context("forkserver")
    # The server imports these once; a video then costs a fork, not an import of torch.
    context.set_forkserver_preload(["avfusion.cli", "avfusion.media.read", "decord"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, *job), daemon=True)
    process.start()
    theirs.close()
    try:
        return _receive(ours, process, limit_s)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()


def _receive(
    ours: Connection, process: multiprocessing.process.BaseProcess, limit_s: float
) -> dict[str, Any]:
    state: dict[str, Any] = {}
    until = time.monotonic() + limit_s
    while ours.poll(max(0.0, until - time.monotonic())):
        try:
            message = ours.recv()
        except EOFError:
            process.join(10)
            return {**state, "end": f"{_death(process.exitcode)} Copy or download the file again."}
        state.update(message)
        if "refused" in state:
            raise ConfigError(state["refused"])
        if "meta" in state or "reason" in state:
            return state
        log.info("  frame %d of %d", *message["at"])
    end = f"not read within {limit_s:g} s. Raise media.time_limit_s, or check the file."
    return {**state, "end": end}


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the reader crashed ({signal.Signals(-code).name})."
    return f"the reader ended without a result (exit code {code})."


def _work(
    pipe: Connection,
    path: str,
    folder: Path,
    settings: MediaSettings,
    key: str,
    decord: bool,
    person: Person,
) -> None:
    """Read one video in the child process and send the result."""
    import cv2
    import torch

    from avfusion.media.read import read_video

    cv2.setNumThreads(1)  # one core per video; shards run in parallel
    torch.set_num_threads(1)
    try:
        meta = read_video(Path(path), folder, settings, key, decord, _progress(pipe), person)
        pipe.send({"meta": meta})
    except ConfigError as error:
        pipe.send({"refused": str(error)})
    except AvfError as error:
        pipe.send({"reason": str(error)})
    except OSError as error:
        message = f"{path}: {type(error).__name__}: {error}."
        if of_place(error):
            advice = "Free disk space, or make the folder writable, and run the command again."
            pipe.send({"refused": f"{message} {advice}"})
        else:
            pipe.send({"reason": f"{message} Check the file."})
    except Exception as error:  # an unforeseen error in one video must not stop the others
        pipe.send({"reason": f"{path}: {type(error).__name__}: {error}. Check the file."})


def _progress(pipe: Connection) -> Callable[[int, int, str], None]:
    last_s = time.monotonic()

    def report(done: int, total: int, reader: str) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= _REPORT_EVERY_S:
            last_s = time.monotonic()
            pipe.send({"at": (done, total), "reader": reader})

    return report
