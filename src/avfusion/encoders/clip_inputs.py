"""Examples that are clips of faces, in memory: each face is kept once, also if clips overlap."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor


@dataclass(frozen=True)
class Clips:
    """Clips to fit on; an index makes the clips of a batch.

    Parameters
    ----------
    faces
        Faces uint8 RGB (M, side, side, 3).
    places
        Indices of the faces of each clip, int64 (N, frames).
    """

    faces: Tensor
    places: Tensor

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """Return the faces of some clips, uint8 (B, frames, side, side, 3)."""
        return self.faces[self.places[chosen]]

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield the faces of all clips, `size` clips at a time."""
        for places in self.places.split(size):
            yield self.faces[places]


def joined(parts: Sequence[Tensor | Clips]) -> Tensor | Clips:
    """Return the inputs of several videos as one."""
    if not isinstance(parts[0], Clips):
        return torch.cat(cast(list[Tensor], parts))
    clips = cast(list[Clips], parts)
    begins = accumulate((len(part.faces) for part in clips), initial=0)
    places = [part.places + begin for part, begin in zip(clips, begins, strict=False)]
    return Clips(torch.cat([part.faces for part in clips]), torch.cat(places))


def rows_of(inputs: Tensor | Clips, chosen: Tensor) -> Tensor | Clips:
    """Return the inputs at a mask or at indices; clips keep their faces in common."""
    if isinstance(inputs, Clips):
        return Clips(inputs.faces, inputs.places[chosen])
    return inputs[chosen]


def tensors(inputs: Tensor | Clips) -> tuple[Tensor, ...]:
    """Return the tensors that inputs consist of."""
    return (inputs.faces, inputs.places) if isinstance(inputs, Clips) else (inputs,)
