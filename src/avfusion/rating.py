"""What a corpus rates: the names of its targets and the scale that raters used."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


DIMENSIONS = ("valence", "arousal")


T = TypeVar("T")


@dataclass(frozen=True)
class Rating:
    """Targets in the order of every last axis K, and the ends of their common scale.

    Gold and traces on disk are in the corpus' own unit. Models are fitted on [-1, 1], where rules
    such as `clip` are stated too; both sides of a score are in the corpus' unit again.
    """

    names: tuple[str, ...] = DIMENSIONS
    low: float = -1.0
    high: float = 1.0

    @classmethod
    def of(cls, stated: dict[str, Any]) -> "Rating":
        """From a corpus' card or a run's settings; without `targets`, valence and arousal."""
        low, high = stated.get("range", (-1.0, 1.0))
        return cls(tuple(stated.get("targets", DIMENSIONS)), float(low), float(high))

    @property
    def plain(self) -> bool:
        """Whether the scale is [-1, 1] already, so that no number may change by a digit."""
        return (self.low, self.high) == (-1.0, 1.0)

    def inward(self, x: T) -> T:
        """From the corpus' unit to [-1, 1].

        >>> Rating(("fatigue",), 0, 10).inward(7.5), Rating().inward(0.1)
        (0.5, 0.1)
        """
        return x if self.plain else (x - (self.low + self.high) / 2) * (2 / self._width)

    def outward(self, x: T) -> T:
        """From [-1, 1] to the corpus' unit.

        >>> Rating(("fatigue",), 0, 10).outward(0.5), Rating().outward(0.1)
        (7.5, 0.1)
        """
        return x if self.plain else x * (self._width / 2) + (self.low + self.high) / 2

    def stated(self) -> dict[str, Any]:
        """What a run's settings say of it; nothing of valence and arousal in [-1, 1]."""
        if self == Rating():
            return {}
        return {"targets": list(self.names), "range": [self.low, self.high]}

    @property
    def _width(self) -> float:
        return self.high - self.low


def in_unit(prediction: "Tensor", own: dict[str, Any]) -> "dict[str, np.ndarray]":
    """What a run's model says (R, K) as a column a target, (R,), in the corpus' unit."""
    rating = Rating.of(own)
    columns = rating.outward(prediction.numpy()).T
    return dict(zip(rating.names, columns, strict=True))
