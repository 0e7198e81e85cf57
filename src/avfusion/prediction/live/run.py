"""Predict a recording while it is written: rows go to a table as soon as they are final."""

import logging
import math
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd

from avfusion.errors import ConfigError, MediaError
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.clip import predict_clip, temporary_prefix
from avfusion.prediction.live.buffer import UNEQUAL_S, Buffer
from avfusion.prediction.live.feed import feeding
from avfusion.prediction.live.follow import Predict, Update, updates
from avfusion.prediction.live.reach import Reach, reach_of
from avfusion.prediction.live.source import Source
from avfusion.prediction.live.written import Written
from avfusion.prediction.many import working
from avfusion.prediction.prediction import Prediction
from avfusion.prediction.request import Request

Show = Callable[[str], None]
"""Takes a line for the user."""


@dataclass(frozen=True)
class Live:
    """What to follow, and how.

    Attributes
    ----------
    source
        A growing file, a named pipe, or `-` for standard input.
    model
        Folder of the bundle.
    out
        Folder for the rows.
    request
        The person.
    files
        Encoder and file of its published weights.
    trust_code
        See `Bundle.open`.
    update_s
        Time between updates in seconds.
    behind_s
        Rows that would be later than this, in seconds, are left out.
    idle_s
        A file that has not grown for so many seconds has ended.
    """

    source: str
    model: Path
    out: Path
    request: Request = field(default_factory=Request)
    files: tuple[tuple[str, Path], ...] = ()
    trust_code: bool = False
    update_s: float = 1.0
    behind_s: float = 10.0
    idle_s: float = 10.0

    def __post_init__(self) -> None:
        for name in ("behind_s", "idle_s"):
            if not getattr(self, name) > 0:
                given = f"--{name.removesuffix('_s')} {getattr(self, name):g}"
                raise ConfigError(f"{given}: expected more than 0 seconds.")


def live(order: Live, show: Show, stop: threading.Event | None = None) -> Path:
    """Predict a recording while it is written, until it ends or the process is asked to end.

    Parameters
    ----------
    order
        What to follow.
    show
        Takes a line per update.
    stop
        Ends it when it is set.

    Returns
    -------
    Path
        The table of the rows; the description is next to it.

    Raises
    ------
    BundleError
        If the bundle needs the complete clip.
    MediaError
        If the source cannot be read, or not any more; rows until then are kept and described.
    """
    stop = stop or threading.Event()
    bundle = Bundle.open(order.model, dict(order.files), order.trust_code)
    reach = reach_of(bundle, order.update_s)
    source = Source(order.source, order.idle_s, stop)
    try:
        written = Written(order.out, source.path.name, reach)
        with working(order.out) as work:
            work.mkdir(parents=True, exist_ok=True)
            show(f"Getting ready: {bundle.name}; a span has {reach.span_s:.1f} s.")
            predict = predictor(bundle, order.request, work)
            with tempfile.TemporaryDirectory(prefix=temporary_prefix(), dir=work) as folder:
                _follow(order, reach, source, written, predict, Path(folder), show, stop)
    finally:
        source.close()
    return written.table


def _follow(
    order: Live,
    reach: Reach,
    source: Source,
    written: Written,
    predict: Predict,
    folder: Path,
    show: Show,
    stop: threading.Event,
) -> None:
    """Write the rows of every update, and at the end what they mean."""
    keep_s = reach.span_s + max(order.behind_s, UNEQUAL_S + reach.step * reach.hop_s)
    buffer = Buffer(source.name, keep_s)
    end = "the source ended"
    try:
        with feeding(source, buffer, stop):
            began_s = time.monotonic()
            for update in updates(buffer, reach, predict, folder, order.behind_s, stop):
                rows = written.add(update)
                took_s = time.monotonic() - began_s
                show(line(update, rows, reach, buffer.newest_s, took_s))
                began_s = time.monotonic()
            end = "it was stopped" if stop.is_set() else end
        if buffer.problem is not None:
            end = str(buffer.problem)
            raise buffer.problem
        if not written.rows:
            raise MediaError(
                f"{source.name}: {end} after {buffer.newest_s:.2f} s without a row; a step of the "
                f"model has {reach.hop_s:g} s."
            )
    finally:
        seconds = buffer.newest_s
        clip = {
            "name": source.path.name,
            "path": str(source.path.absolute()),
            "sha256": source.sha256,
            "duration_s": seconds,
            "start_s": 0.0,
            "end_s": seconds,
        }
        lengths = {"update_s": reach.step, "span_s": reach.span, "late_s": reach.late}
        options = order.request.document() | {
            "live": {name: rows * reach.hop_s for name, rows in lengths.items()}
        }
        written.close(clip, options, [f"Predicted live; ended because {end}."])


def predictor(bundle: Bundle, request: Request, work: Path) -> Predict:
    """Return what predicts a span of a file; the models are loaded and were used once."""
    media = bundle.document.media.model_copy(update={"time_zero": "picture"})
    document = bundle.document.model_copy(update={"media": media})
    ready = replace(bundle, document=document)
    if document.check is not None:
        predict_clip(ready.path(document.check.clip), ready, request, work)

    def predict(path: Path, start_s: float, end_s: float) -> Prediction:
        span = replace(request, start_s=start_s, end_s=end_s)
        return predict_clip(path, ready, span, work)

    return predict


def line(update: Update, rows: pd.DataFrame, reach: Reach, newest_s: float, took_s: float) -> str:
    """Return a line about an update: means of its rows, and how far behind they are."""
    span, hop_s = update.span, reach.hop_s
    text = ""
    if span.first > span.skipped:
        least_s = math.ceil(10 * took_s) / 10
        text = (
            f"slower than real time: no rows from {span.skipped * hop_s:.2f} to "
            f"{span.first * hop_s:.2f} s; an update takes {took_s:.1f} s, so try "
            f"--update {least_s:g}\n"
        )
    at_s = span.last * hop_s
    behind = f"{max(0.0, newest_s - at_s):.1f} s behind"
    if update.prediction is None:
        return f"{text}{at_s:8.2f} s  no rows: {update.reason}  ({behind})"
    means = "  ".join(
        f"{target.name} {rows[target.name].mean():+.2f}" for target in update.prediction.targets
    )
    seen = "face" if rows["face"].any() else "no face"
    return f"{text}{at_s:8.2f} s  {means}  {seen}  ({behind})"


@contextmanager
def signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set; a second one ends the process as usual."""
    stop = threading.Event()
    before: dict[int, Any] = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
    }

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def saying_once() -> Iterator[None]:
    """Let each warning pass once, and no other message: an update would repeat them."""
    once, handlers = _Once(), logging.getLogger().handlers[:]
    for handler in handlers:
        handler.addFilter(once)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(once)


class _Once(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._shown: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown."""
        new = record.levelno >= logging.WARNING and record.msg not in self._shown
        self._shown.add(str(record.msg))
        return new
