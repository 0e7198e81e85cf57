"""Attention maps that are computed when they are read: figures need them, training steps do not."""

from collections import UserDict
from typing import Any

from torch import Tensor


class Maps(UserDict):
    """Maps by name. A value may be a function without arguments, called each time it is read."""

    data: dict[str, Any]

    def __getitem__(self, name: str) -> Tensor:
        found = self.data[name]
        return found() if callable(found) else found

    def numbered(self, turn: int) -> "Maps":
        """The same maps, named for the pass that made them: `audio` becomes `audio_2`."""
        return Maps({f"{name}_{turn}": found for name, found in self.data.items()})
