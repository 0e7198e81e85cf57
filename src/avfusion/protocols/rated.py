"""A scoring rule applied to one video; what follows from its gold is computed once for all runs."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from avfusion.metrics.sums import video_sums
from avfusion.protocols.rule import Protocol
from avfusion.protocols.series import held, instants, shift, smooth
from avfusion.rating import Rating
from avfusion.schemas import GOLD

Columns: TypeAlias = "pd.DataFrame | Mapping[str, np.ndarray]"
"""Columns by name, (N,) each."""

Pair = tuple[np.ndarray, np.ndarray]
"""Predictions and gold of one video, (N,) each."""

Post = Mapping[str, Callable[[np.ndarray, float], np.ndarray]]
"""Target -> a function from predictions (N,) and their spacing in s to predictions (N,)."""


class RatedVideo:
    """Gold of one video as a rule scores it.

    Parameters
    ----------
    rule
        The scoring rule.
    gold
        `time_s` in rating time and the targets, sorted by time; NaN = unrated.
    delay_s
        Annotation delay of each target in seconds.
    rating
        Targets and their scale.
    """

    def __init__(
        self, rule: Protocol, gold: Columns, delay_s: Mapping[str, float], rating: Rating
    ) -> None:
        self.rule, self._rating = rule, rating
        self._time_s = np.asarray(gold["time_s"], float)
        self._step_s = float(np.median(np.diff(self._time_s))) if len(self._time_s) > 1 else 1.0
        late = delay_s if rule.delay == "corpus" else {}
        self._lag_s = {name: late.get(name, 0.0) for name in rating.names}
        columns: Columns = _held(gold, rule.hold_frames) if rule.hold_frames else gold
        every = {name: np.asarray(columns[name], float) for name in rating.names}
        kept = instants(self._time_s, rule.step_s)
        self._rated = {name: ~np.isnan(g) for name, g in every.items()}
        drops, zero = rule.unrated == "drop", rating.outward(0.0)
        self._used = {name: kept & is_ if drops else kept for name, is_ in self._rated.items()}
        self.gold = {
            name: (g if drops else np.where(self._rated[name], g, zero))[self._used[name]]
            for name, g in every.items()
        }
        self._sums = {name: video_sums(g, g) for name, g in self.gold.items()}

    def pairs(self, trace: Columns, post: Post | None = None) -> dict[str, Pair]:
        """Return predictions and gold of each target as they are scored, before `rescale`."""
        return {name: (self.predicted(trace, name, post), g) for name, g in self.gold.items()}

    def predicted(self, trace: Columns, target: str, post: Post | None = None) -> np.ndarray:
        """Return the predictions of a target at the N instants that are scored, (N,)."""
        p, rule = shift(trace, target, self._time_s, self._lag_s[target]), self.rule
        zero = self._rating.outward(0.0)
        if post:
            p = post[target](p, self._step_s)
        if rule.clip:
            low, high = map(self._rating.outward, rule.clip)
            p = np.clip(p, low, high)
        if rule.unrated != "drop":
            p = np.where(self._rated[target], p, zero)
        if rule.smoothing:
            p = smooth(p, rule.smoothing.width(target), rule.smoothing.edges, zero)
        return p[self._used[target]]

    def sums(self, predicted: np.ndarray, target: str) -> np.ndarray:
        """Return the sums of one video, as `video_sums` of `predicted` (N,) and the gold."""
        sums = self._sums[target].copy()
        sums[[1, 3, 5]] = predicted.sum(), predicted @ predicted, predicted @ self.gold[target]
        return sums


def _held(gold: Columns, frames: int) -> dict[str, np.ndarray]:
    """Return the columns with ratings held; all targets count, also if one is scored."""
    names = [name for name in gold if name not in GOLD]
    rows = held(pd.DataFrame({name: gold[name] for name in names}), frames)
    return {name: np.asarray(gold[name]) for name in gold} | dict(zip(names, rows, strict=True))
