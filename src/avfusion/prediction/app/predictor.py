"""Predict clips in processes of their own, a few at a time; the others wait in order."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from avfusion.errors import AvfError
from avfusion.prediction.app.apart import Apart
from avfusion.prediction.app.work import Order, Predicted

log = logging.getLogger(__name__)


class Waiting(Protocol):
    """What waits for its prediction."""

    @property
    def order(self) -> Order:
        """What a process is asked to do."""

    @property
    def removed(self) -> bool:
        """Whether it was cancelled."""

    def report(self, phase: Any, share: float) -> None:
        """Take note of the progress."""

    def fail(self, message: str) -> None:
        """Take note of a failure."""


T = TypeVar("T", bound=Waiting)


class Predictor(Generic[T]):
    """Predicts clips with a thread and a process for each place.

    Parameters
    ----------
    places
        Makes the processes, one for each clip at a time.
    done
        Called with a clip and its predictions, in a thread of the predictor.
    """

    def __init__(self, places: list[Apart], done: Callable[[T, Predicted], None]) -> None:
        self._places, self._done = places, done
        self._waiting: deque[T] = deque()
        self._running: dict[int, T] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(len(places))
        ]
        for thread in self._threads:
            thread.start()

    def add(self, clip: T) -> None:
        """Let a clip wait."""
        with self._changed:
            self._waiting.append(clip)
            self._changed.notify()

    def place(self, clip: T) -> int | None:
        """Return the place of a clip among those that wait, from 1; None if it does not wait."""
        with self._changed:
            places = (n for n, other in enumerate(self._waiting, start=1) if other is clip)
            return next(places, None)

    def cancel(self, clip: T) -> None:
        """Take a clip from those that wait, or stop its process."""
        with self._changed:
            if clip in self._waiting:
                self._waiting.remove(clip)
            for number, running in self._running.items():
                if running is clip:
                    self._places[number].stop()

    def close(self) -> None:
        """Stop everything."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
            for place in self._places:
                place.stop()
        for thread in self._threads:
            thread.join(10)

    def _work(self, number: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                clip = self._waiting.popleft()
                self._running[number] = clip
            try:
                self._predict(clip, self._places[number])
            finally:
                with self._changed:
                    del self._running[number]

    def _predict(self, clip: T, place: Apart) -> None:
        if clip.removed:
            return
        try:
            clip.report("reading", 0.0)
            self._done(clip, place.do(clip.order, clip.report))
        except AvfError as error:
            if not clip.removed:
                clip.fail(str(error))
        except Exception as error:  # such as a full disk: the next clip may fit
            log.warning("a clip failed", exc_info=True)
            clip.fail(f"{type(error).__name__}: {error}.")
