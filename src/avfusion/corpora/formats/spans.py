"""Ratings that hold over a span, as instants: the form that training and scoring read."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

LONGEST_S = 100_000.0
"""No recording is longer (28 h); what ends later is in another unit, and would fill the memory."""


class Span(NamedTuple):
    """A rating that holds from `start_s` to `end_s`; NaN where nobody rated."""

    start_s: float
    end_s: float
    value: float


def beyond(span: Span) -> str:
    """What is wrong with a span that ends after any recording; empty where nothing is."""
    return f"it ends at {span.end_s:g} s; are times in seconds?" if span.end_s > LONGEST_S else ""


def held(spans: dict[str, list[Span]], hz: float) -> pd.DataFrame:
    """`time_s` and a column a target: the middle of every 1 / hz s, NaN where no span is.

    Between two spans of a target that meet with different values stands an unrated instant, so that
    nothing is interpolated from one to the other.

    >>> held({"level": [Span(0, 2, 3), Span(2, 3, 6)]}, 1)["level"].tolist()
    [3.0, 3.0, nan, 6.0]
    """
    ends = [span.end_s for own in spans.values() for span in own]
    middles = (np.arange(int(np.ceil(max(ends, default=0.0) * hz - 1e-9))) + 0.5) / hz
    jumps = {target: _jumps(own) for target, own in spans.items()}
    times = np.unique(np.round(np.concatenate([middles, *jumps.values()]), 6))
    table = pd.DataFrame({"time_s": times})
    for target, own in spans.items():
        column = np.full(len(times), np.nan)
        for span in own:
            column[(times >= span.start_s) & (times < span.end_s)] = span.value
        column[np.isin(times, np.round(jumps[target], 6))] = np.nan
        table[target] = column
    return table[(times < max(ends, default=0.0))].reset_index(drop=True)


def _jumps(spans: list[Span]) -> np.ndarray:
    """Where one span ends, the next begins, and the value changes."""
    ordered = sorted(spans)
    return np.array(
        [b.start_s for a, b in pairwise(ordered) if a.end_s == b.start_s and a.value != b.value]
    )


def overlaps(spans: list[Span]) -> list[tuple[Span, Span]]:
    """Neighbours in time of which the first has not ended when the second begins."""
    ordered = sorted(spans)
    return [(a, b) for a, b in pairwise(ordered) if b.start_s < a.end_s]


def gaps(spans: list[Span], end_s: float) -> list[tuple[float, float]]:
    """Stretches of 0 … end_s that no rating covers."""
    found, at = [], 0.0
    for span in sorted(span for span in spans if not np.isnan(span.value)):
        if span.start_s > at:
            found.append((at, min(span.start_s, end_s)))
        at = max(at, span.end_s)
    return [(a, b) for a, b in [*found, (at, end_s)] if b - a > 1e-6]
