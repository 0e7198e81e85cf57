"""One video read in a process of its own, because a native reader can hang or crash on a file."""

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from avfusion.errors import AvfError, ConfigError, of_place
from avfusion.media.person import Person

_SPEAK_EVERY_S = 10.0


log = logging.getLogger(__name__)


def read_apart(
    path: Path, folder: Path, settings: dict[str, Any], key: str, person: Person
) -> tuple[dict[str, Any], str]:
    """The record's meta, or {} and the reason why there is none.

    The process is killed past `time_limit_s`. If it hangs or crashes, PyAV gets a try of its own,
    unless it was PyAV that did.
    """
    for use_decord in (True, False):
        job = (str(path), folder, settings, key, use_decord, person)
        state = _attempt(job, settings["time_limit_s"])
        if "meta" in state or "reason" in state:
            break
        state["reason"] = f"{path}: {state['end']}"
        if state.get("reader") == "pyav" or not use_decord:
            break
        log.warning("%s Reading it again without decord.", state.pop("reason"))
    return state.get("meta", {}), state.get("reason", "")


def _attempt(job: tuple[Any, ...], limit_s: float) -> dict[str, Any]:
    """Run `_work` in a fresh process; what it said, or under `end` how it ended without a word."""
    context = multiprocessing.get_context("forkserver")
    # The server imports these once; a video then costs a fork, not an import of torch.
    context.set_forkserver_preload(["avfusion.cli", "avfusion.media.read", "decord"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, *job), daemon=True)
    process.start()
    theirs.close()
    try:
        return _listen(ours, process, limit_s)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()


def _listen(
    ours: Connection, process: multiprocessing.process.BaseProcess, limit_s: float
) -> dict[str, Any]:
    state: dict[str, Any] = {}
    until = time.monotonic() + limit_s
    while ours.poll(max(0.0, until - time.monotonic())):
        try:
            said = ours.recv()
        except EOFError:
            process.join(10)
            return {**state, "end": f"{_death(process.exitcode)} Copy or download the file again."}
        state.update(said)
        if "refused" in state:
            raise ConfigError(state["refused"])
        if "meta" in state or "reason" in state:
            return state
        log.info("  frame %d of %d", *said["at"])
    ended = f"not read within {limit_s:g} s. Raise media.time_limit_s, or look at the file."
    return {**state, "end": ended}


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the reader crashed ({signal.Signals(-code).name})."
    return f"the reader ended without a result (exit code {code})."


def _work(
    pipe: Connection,
    path: str,
    folder: Path,
    settings: dict[str, Any],
    key: str,
    decord: bool,
    person: Person,
) -> None:
    """In the child: read one video and say what came of it."""
    import cv2
    import torch

    from avfusion.media.read import read_video

    cv2.setNumThreads(1)  # a video is one core's work; shards are what runs side by side
    torch.set_num_threads(1)
    try:
        meta = read_video(Path(path), folder, settings, key, decord, _teller(pipe), person)
        pipe.send({"meta": meta})
    except ConfigError as error:
        pipe.send({"refused": str(error)})
    except AvfError as error:
        pipe.send({"reason": str(error)})
    except OSError as error:
        said = f"{path}: {type(error).__name__}: {error}."
        place = f"{said} Make room, or make the folder writable, and give the same command again."
        pipe.send(
            {"refused": place} if of_place(error) else {"reason": f"{said} Look at the file."}
        )
    except Exception as error:  # one video's surprise must not cost the others their row
        pipe.send({"reason": f"{path}: {type(error).__name__}: {error}. Look at the file."})


def _teller(pipe: Connection) -> Callable[[int, int, str], None]:
    last_s = time.monotonic()

    def tell(done: int, total: int, reader: str) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= _SPEAK_EVERY_S:
            last_s = time.monotonic()
            pipe.send({"at": (done, total), "reader": reader})

    return tell
