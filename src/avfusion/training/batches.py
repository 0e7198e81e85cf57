"""The batches of an epoch: which examples, in which order, how many together."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from avfusion.config.training import TrainSettings
from avfusion.errors import TrainError

Loaded = TypeVar("Loaded")
Given = TypeVar("Given", covariant=True)


class Epoch(Protocol[Given]):
    """The batches of one epoch, and their number."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Given]: ...


@dataclass(frozen=True)
class Batches(Generic[Loaded]):
    """Batches that are loaded one by one.

    Attributes
    ----------
    chosen
        Indices of the examples of each batch.
    load
        Returns the examples of given indices.
    """

    chosen: Sequence[Tensor]
    load: Callable[[Tensor], Loaded]

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[Loaded]:
        return map(self.load, self.chosen)


def divide(
    examples: Tensor, train: TrainSettings, generator: torch.Generator, what: str
) -> Sequence[Tensor]:
    """Divide examples into the batches of an epoch, as `train` asks for it.

    Sizes of shuffled batches differ by at most one, so that no loss is from a few examples.
    Batches of consecutive examples, and all with `drop_last`, have exactly `batch`, except a last
    one that is kept.

    Parameters
    ----------
    examples
        Indices of the examples (N,), in the order of videos and time.
    train
        Settings `batch`, `order` and `drop_last`.
    generator
        Draws the order of shuffled examples.
    what
        Examples in words, for messages: `"windows"`.

    Returns
    -------
    sequence of torch.Tensor
        Indices of each batch.

    Raises
    ------
    TrainError
        If `drop_last` leaves no batch.
    """
    if not len(examples):
        return ()
    shuffled = train.order == "shuffled"
    order = examples
    if shuffled:
        order = examples[torch.randperm(len(examples), generator=generator)]
    if shuffled and not train.drop_last:
        return order.tensor_split(math.ceil(len(order) / train.batch))
    batches = order.split(train.batch)
    if not train.drop_last or len(batches[-1]) == train.batch:
        return batches
    if len(batches) == 1:
        raise TrainError(
            f"train.drop_last: {len(order)} train {what} are no complete batch of {train.batch}. "
            f"Set `train.batch` to at most {len(order)}, or remove `train.drop_last`."
        )
    return batches[:-1]
