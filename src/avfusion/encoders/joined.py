"""Batches over videos: on a GPU, the network reads the inputs of several videos at once.

A video of some seconds does not fill a GPU. All batches of a network have the same size, and the
last one repeats an input, so the kernels that a GPU chooses do not depend on how many videos are
left. The place of an input in its batch can change the last digit of what a network gives for it.
On a CPU, each video has batches of its own, and its features do not depend on other videos.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

BATCH_BYTES = 8_000_000
"""Size of the inputs of a batch: 212 faces of 112 px, or 26 clips of 8 of them."""

Parts = list[tuple[np.ndarray, np.ndarray]]
"""Places of some inputs of a video (B,), and their embeddings (B, D)."""


V = TypeVar("V")
Batches = Iterable[tuple[np.ndarray, Tensor]]


@dataclass(eq=False)
class _Pending(Generic[V]):
    """A video, what the network gave for it, and how many of its inputs wait."""

    video: V
    parts: Parts = field(default_factory=list)
    waiting: int = 0
    failed: bool = False


def over_videos(
    embed: Callable[[Tensor], Tensor], videos: Iterable[tuple[V, Batches | None]]
) -> Iterator[tuple[V, Parts | None]]:
    """Run a network on the inputs of videos, and yield the videos in their order.

    Parameters
    ----------
    embed
        Maps inputs (B, ...) to embeddings (B, D).
    videos
        Videos, and what an encoder's `read` yields for them; None if there is nothing to read.

    Yields
    ------
    tuple
        The video and its parts; None if a batch could not be read or embedded. The error may be
        that of another video of the batch, so the video should be encoded alone.
    """
    joined: _Joined[V] = _Joined(embed)
    for video, batches in videos:
        joined.add(video, batches)
        yield from joined.complete()
    joined.embed_all()
    yield from joined.complete()


class _Joined(Generic[V]):
    """Inputs that wait for the network, and their videos."""

    def __init__(self, embed: Callable[[Tensor], Tensor]) -> None:
        self._embed = embed
        self._queue: deque[tuple[_Pending[V], np.ndarray, Tensor]] = deque()
        self._pending: deque[_Pending[V]] = deque()
        self._count = 0

    def complete(self) -> Iterator[tuple[V, Parts | None]]:
        """Yield the first videos, up to one whose inputs wait."""
        while self._pending and not self._pending[0].waiting:
            first = self._pending.popleft()
            yield first.video, None if first.failed else first.parts

    def add(self, video: V, batches: Batches | None) -> None:
        """Read the inputs of a video; run the network whenever a batch is full."""
        pending = _Pending(video)
        self._pending.append(pending)
        remaining = iter(batches or ())
        while not pending.failed:
            try:
                places, inputs = next(remaining)
            except StopIteration:
                return
            except Exception:  # it is raised again when the video is encoded alone
                pending.failed = True
                return
            if self._queue and _shape(self._queue[-1][2]) != _shape(inputs):
                self.embed_all()
            self._queue.append((pending, places, inputs))
            self._count += len(inputs)
            pending.waiting += len(inputs)
            while self._count >= _size(inputs):
                self._embed_batch()

    def embed_all(self) -> None:
        """Run the network on all inputs that wait."""
        while self._queue:
            self._embed_batch()

    def _embed_batch(self) -> None:
        """Run the network on the first inputs that wait."""
        size, taken = _size(self._queue[0][2]), list[tuple[_Pending[V], np.ndarray, Tensor]]()
        left = size
        while self._queue and left:
            pending, places, inputs = self._queue.popleft()
            if len(inputs) > left:
                self._queue.appendleft((pending, places[left:], inputs[left:]))
            taken.append((pending, places[:left], inputs[:left]))
            left -= len(taken[-1][2])
        self._count -= size - left
        batch = torch.cat([inputs for _, _, inputs in taken])
        batch = torch.cat([batch, batch[-1:].expand(left, *batch.shape[1:])])
        try:
            with torch.inference_mode():
                rows = self._embed(batch).float().cpu().numpy()
        except Exception:  # such as too little memory, or that of one of the videos
            rows = None
        begin = 0
        for pending, places, _ in taken:
            pending.waiting -= len(places)
            pending.failed |= rows is None
            if rows is not None:
                pending.parts.append((places, rows[begin : begin + len(places)]))
            begin += len(places)


def _shape(inputs: Tensor) -> tuple[object, ...]:
    return inputs.dtype, inputs.shape[1:]


def _size(inputs: Tensor) -> int:
    """Return the number of inputs of a batch."""
    each = inputs[:1].numel() * inputs.element_size()
    return max(1, BATCH_BYTES // max(each, 1))
