"""Read the inputs of a network ahead, in a thread, while the network runs on earlier ones."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from avfusion.encoders.outputs import finite

DEPTH = 2
"""Batches that wait for the network at most; the thread computes one more."""

T = TypeVar("T")


class Ahead(Generic[T]):
    """Iterator over items that a thread computes ahead, in their order.

    An error is raised where its item would have been. Call `close` if items may be left.

    Parameters
    ----------
    items
        What to compute; the thread starts at once.
    depth
        Number of items that wait at most.
    """

    def __init__(self, items: Iterable[T], depth: int = DEPTH) -> None:
        self._waiting: Queue[tuple[Any, BaseException | None]] = Queue(depth)
        self._closed, self._ended = Event(), False
        # A daemon, so that a process that is killed in the middle does not wait for it.
        self._thread = Thread(target=self._compute, args=(items,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._ended:
            raise StopIteration
        item, error = self._waiting.get()
        if error is not None:
            self._ended = True
            raise error
        return item

    def close(self) -> None:
        """Stop after the item that is being computed."""
        self._closed.set()
        self._ended = True
        while self._thread.is_alive():
            with suppress(Empty):
                self._waiting.get(timeout=0.01)  # it may wait for a free place
        self._thread.join()

    def _compute(self, items: Iterable[T]) -> None:
        end: BaseException = StopIteration()
        try:
            for item in items:
                self._waiting.put((item, None))
                if self._closed.is_set():
                    return
        except BaseException as error:  # the thread that reads the items raises it
            end = error
        self._waiting.put((None, end))


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield items that a thread computes ahead; the thread ends with the iteration."""
    reader = Ahead(items)
    try:
        yield from reader
    finally:
        reader.close()


class ReadsAhead:
    """Base of encoders whose inputs are read in batches, whatever the network makes of them.

    A subclass implements `read`, which may run in another thread than the network, and
    `encode_read`. Features do not depend on whether a thread reads.
    """

    def read(self, record: Any, ends_s: np.ndarray, clip_s: float) -> Iterator[Any]:
        """Yield the inputs of the network in batches."""
        raise NotImplementedError

    def encode_read(
        self, batches: Iterable[Any], record: Any, ends_s: np.ndarray, clip_s: float
    ) -> np.ndarray:
        """Return the features float32 (N, D) from what `read` yields."""
        raise NotImplementedError

    def encode(self, record: Any, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the features of the clips: float32 (N, D), NaN where the modality is absent."""
        batches = self.read(record, ends_s, clip_s)
        return self.encode_read(batches, record, ends_s, clip_s)


class RowsAhead(ReadsAhead):
    """Base of encoders with an input per clip; `read` yields rows (B,) and inputs (B, ...)."""

    dim: int

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the embeddings (B, D), on the CPU."""
        raise NotImplementedError

    def encode_read(
        self, batches: Iterable[Any], record: Any, ends_s: np.ndarray, clip_s: float
    ) -> np.ndarray:
        """Return the embedding of each clip that `read` yields, NaN for the others."""
        out = np.full((len(ends_s), self.dim), np.nan, np.float32)
        with torch.inference_mode():
            for rows, inputs in batches:
                out[rows] = finite(self.embed(inputs).numpy())
        return out
