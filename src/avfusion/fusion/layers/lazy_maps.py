"""Attention maps that are computed only when they are read; training never reads them."""

from collections import UserDict
from typing import Any

from torch import Tensor


class Maps(UserDict[str, Any]):
    """Maps by name; a value may be a function without arguments, called whenever it is read."""

    def __getitem__(self, name: str) -> Tensor:
        value = self.data[name]
        return value() if callable(value) else value

    def numbered(self, turn: int) -> "Maps":
        """Return the maps with the number of the pass in their names: `audio` becomes `audio_2`."""
        return Maps({f"{name}_{turn}": value for name, value in self.data.items()})
