"""Decide which span of a recording is predicted next, and which of its rows are new and final."""

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from avfusion.errors import MediaError
from avfusion.prediction.live.buffer import Buffer
from avfusion.prediction.live.reach import Reach
from avfusion.prediction.prediction import Prediction

_POLL_S = 0.2

Predict = Callable[[Path, float, float], Prediction]
"""Predicts the span of a file from its first to its second time in seconds."""


class Span(NamedTuple):
    """Rows of the grid: an update reads from `begin` to `end` and gives the rows after `first`.

    Row i, from 1, ends at i * hop_s. The last row that it gives is `last`. Rows from `skipped` to
    `first` are absent, because the machine is too slow; `skipped` is `first` where none is.
    """

    begin: int
    end: int
    first: int
    last: int
    skipped: int


class Update(NamedTuple):
    """What became of a span: a prediction in times of the file, which begins at `begins_s`.

    Without a prediction, `reason` says why.
    """

    span: Span
    begins_s: float
    prediction: Prediction | None
    reason: str = ""


def updates(
    buffer: Buffer,
    reach: Reach,
    predict: Predict,
    folder: Path,
    behind_s: float,
    stop: threading.Event,
) -> Iterator[Update]:
    """Predict spans of a recording one after the other, until it ends or `stop` is set.

    Parameters
    ----------
    buffer
        The newest packets; another thread adds to it.
    reach
        What an update reads.
    predict
        Predicts a span of a file.
    folder
        Folder for the file of the span, which is removed after each update.
    behind_s
        An update that would end longer before the newest picture is skipped, and those up to the
        newest complete one.
    stop
        Ends the updates.
    """
    done, end = 0, reach.step
    path = folder / "span.nut"
    while True:
        with buffer.changed:
            span = _next(buffer, reach, done, end, behind_s, stop)
            if span is None:
                return
            hop_s = reach.hop_s
            begins_s = buffer.write(path, span.begin * hop_s, span.end * hop_s)
        try:
            times_s = (index * hop_s - begins_s for index in (span.begin, span.end))
            yield Update(span, begins_s, predict(path, *times_s))
        except MediaError as error:
            if not stop.is_set():  # Ctrl-C also reaches the process that reads
                yield Update(span, begins_s, None, str(error).replace(str(path), buffer.name))
        finally:
            path.unlink(missing_ok=True)
        done, end = span.last, (span.end // reach.step + 1) * reach.step


def _next(
    buffer: Buffer, reach: Reach, done: int, end: int, behind_s: float, stop: threading.Event
) -> Span | None:
    """Wait for the span that ends at row `end`, or the newest one; None at the end."""
    while True:
        if stop.is_set():
            return None
        there = math.floor(buffer.complete_s / reach.hop_s + 1e-6)
        if there >= end or buffer.ended:
            break
        buffer.changed.wait(_POLL_S)
    if buffer.ended and there <= done:
        return None
    skipped = done
    newest = max(end, there // reach.step * reach.step)
    if newest > end and buffer.newest_s - end * reach.hop_s > behind_s:
        end, done = newest, max(done, newest - reach.step - reach.late)
    late = reach.late
    if there <= end and buffer.ended:
        end, late = there, 0
    return Span(max(0, end - reach.span), end, done, end - late, skipped)
