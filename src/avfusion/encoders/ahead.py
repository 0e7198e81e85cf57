"""Read the inputs of a network ahead, in a thread, while the network runs on earlier ones."""

from collections.abc import Callable, Iterable, Iterator
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

    A subclass implements `read`, which may run in another thread than the network, `embed` and
    `gather`. Features do not depend on whether a thread reads. On a GPU, a batch of `embed` can
    hold inputs of several videos; see `joined`.
    """

    dim: int

    def read(self, record: Any, ends_s: np.ndarray, clip_s: float) -> Iterator[Any]:
        """Yield places (B,) and inputs of the network (B, ...) in batches."""
        raise NotImplementedError

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the embeddings (B, E) of inputs (B, ...)."""
        raise NotImplementedError

    def gather(
        self, parts: Iterable[Any], record: Any, ends_s: np.ndarray, clip_s: float
    ) -> np.ndarray:
        """Return the features float32 (N, D) from places (B,) and embeddings float32 (B, E)."""
        raise NotImplementedError

    def encode_read(
        self, batches: Iterable[Any], record: Any, ends_s: np.ndarray, clip_s: float
    ) -> np.ndarray:
        """Return the features float32 (N, D) from what `read` yields."""
        return self.gather(embedded(self.embed, batches), record, ends_s, clip_s)

    def encode(self, record: Any, ends_s: np.ndarray, clip_s: float) -> np.ndarray:
        """Return the features of the clips: float32 (N, D), NaN where the modality is absent."""
        batches = self.read(record, ends_s, clip_s)
        return self.encode_read(batches, record, ends_s, clip_s)


class RowsAhead(ReadsAhead):
    """Base of encoders with an input per clip; its place is that of the clip."""

    def gather(
        self, parts: Iterable[Any], record: Any, ends_s: np.ndarray, clip_s: float
    ) -> np.ndarray:
        """Return the embedding of each clip that `read` yields, NaN for the others."""
        return rows_of_clips(parts, len(ends_s), self.dim)


def rows_of_clips(
    parts: Iterable[tuple[np.ndarray, np.ndarray]], count: int, dim: int
) -> np.ndarray:
    """Return float32 (count, dim) with embeddings (B, dim) at their places (B,), else NaN."""
    out = np.full((count, dim), np.nan, np.float32)
    for places, values in parts:
        out[places] = finite(values)
    return out


def embedded(
    embed: Callable[[Tensor], Tensor], batches: Iterable[tuple[Any, Tensor]]
) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield the places (B,) and the embeddings (B, E) of inputs, one batch after the other."""
    for places, inputs in batches:
        with torch.inference_mode():
            values = embed(inputs).cpu().numpy()
        yield places, values
