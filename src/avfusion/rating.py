"""The targets that a corpus rates and the scale of the ratings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from avfusion.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


DIMENSIONS = ("valence", "arousal")


T = TypeVar("T", float, "np.ndarray", "Tensor")


@dataclass(frozen=True)
class Rating:
    """Targets and their common scale.

    Gold and predictions on disk, and scores, are in the unit of the corpus. Models are fitted on
    [-1, 1], and rules of protocols such as `clip` refer to [-1, 1].

    Attributes
    ----------
    names
        Names of the targets, in the order of each last axis K.
    low, high
        Ends of the scale, in the unit of the corpus.

    Raises
    ------
    ConfigError
        If a name cannot be that of a folder.
    """

    names: tuple[str, ...] = DIMENSIONS
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        wrong = [name for name in self.names if not name or name[0] == "." or "/" in name]
        if wrong:
            raise ConfigError(
                f"A target is named {wrong[0]!r}. The name is also that of a folder: leave out `/` "
                f"and a dot at the beginning in `targets` of the corpus."
            )

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> "Rating":
        """Read `targets` and `range` of a corpus card; the default is `Rating()`."""
        low, high = card.get("range", (-1.0, 1.0))
        return cls(tuple(card.get("targets", DIMENSIONS)), float(low), float(high))

    @property
    def plain(self) -> bool:
        """Whether the scale is [-1, 1], so that conversions return their input unchanged."""
        return (self.low, self.high) == (-1.0, 1.0)

    def inward(self, x: T) -> T:
        """Convert from the unit of the corpus to [-1, 1].

        >>> Rating(("fatigue",), 0, 10).inward(7.5), Rating().inward(0.1)
        (0.5, 0.1)
        """
        return x if self.plain else (x - (self.low + self.high) / 2) * (2 / self._width)

    def outward(self, x: T) -> T:
        """Convert from [-1, 1] to the unit of the corpus.

        >>> Rating(("fatigue",), 0, 10).outward(0.5), Rating().outward(0.1)
        (7.5, 0.1)
        """
        return x if self.plain else x * (self._width / 2) + (self.low + self.high) / 2

    def stated(self) -> dict[str, Any]:
        """Return the entries of a card that `of` reads back; none for `Rating()`."""
        if self == Rating():
            return {}
        return {"targets": list(self.names), "range": [self.low, self.high]}

    @property
    def _width(self) -> float:
        return self.high - self.low


def in_unit(prediction: "Tensor", rating: Rating) -> "dict[str, np.ndarray]":
    """Convert a model's predictions (R, K) to one column (R,) per target, in the corpus' unit."""
    columns = rating.outward(prediction.numpy()).T
    return dict(zip(rating.names, columns, strict=True))
