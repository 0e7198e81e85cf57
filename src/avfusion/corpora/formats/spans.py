"""Sample ratings that hold over a span at instants, as training and scoring read them."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from avfusion.errors import CorpusError

LONGEST_S = 100_000.0
"""Longest recording (28 h). A span that ends later is in another unit and would fill the memory."""


MOST_INSTANTS = 10_000_000
"""Most instants of a recording: 28 hours at 100 Hz."""


class Span(NamedTuple):
    """A rating that holds from `start_s` to `end_s` in seconds; NaN if unrated."""

    start_s: float
    end_s: float
    value: float


def beyond(span: Span) -> str:
    """Return a fault if the span ends after `LONGEST_S`, else an empty string."""
    return f"it ends at {span.end_s:g} s; are times in seconds?" if span.end_s > LONGEST_S else ""


def held(spans: dict[str, list[Span]], hz: float) -> pd.DataFrame:
    """Sample spans in the middle of every 1 / hz seconds.

    Where two spans of a target meet with different values, an unrated instant is inserted, so that
    nothing is interpolated between them.

    Parameters
    ----------
    spans
        Target -> its spans.
    hz
        Instants per second.

    Returns
    -------
    DataFrame
        `time_s` in seconds and one column per target, NaN outside of all spans.

    Raises
    ------
    CorpusError
        If there are more than `MOST_INSTANTS`.

    Examples
    --------
    >>> held({"level": [Span(0, 2, 3), Span(2, 3, 6)]}, 1)["level"].tolist()
    [3.0, 3.0, nan, 6.0]
    """
    ends = [span.end_s for parts in spans.values() for span in parts]
    if max(ends, default=0.0) * hz > MOST_INSTANTS:
        raise CorpusError(
            f"ratings to {max(ends):g} s at {hz:g} Hz are {max(ends) * hz:,.0f} instants; at most "
            f"{MOST_INSTANTS:,} are read. Set a lower rate."
        )
    middles = (np.arange(int(np.ceil(max(ends, default=0.0) * hz - 1e-9))) + 0.5) / hz
    jumps = {target: _jumps(parts) for target, parts in spans.items()}
    times = np.unique(np.round(np.concatenate([middles, *jumps.values()]), 6))
    table = pd.DataFrame({"time_s": times})
    for target, parts in spans.items():
        column = np.full(len(times), np.nan)
        for span in parts:
            column[(times >= span.start_s) & (times < span.end_s)] = span.value
        column[np.isin(times, np.round(jumps[target], 6))] = np.nan
        table[target] = column
    return table[(times < max(ends, default=0.0))].reset_index(drop=True)


def _jumps(spans: list[Span]) -> np.ndarray:
    """Return the times at which one span ends, the next begins and the value changes."""
    ordered = sorted(spans)
    return np.array(
        [b.start_s for a, b in pairwise(ordered) if a.end_s == b.start_s and a.value != b.value]
    )


def overlaps(spans: list[Span]) -> list[tuple[Span, Span]]:
    """Return consecutive spans that overlap."""
    ordered = sorted(spans)
    return [(a, b) for a, b in pairwise(ordered) if b.start_s < a.end_s]


def gaps(spans: list[Span], end_s: float) -> list[tuple[float, float]]:
    """Return the intervals of 0 … end_s that no rating covers."""
    unrated, at = [], 0.0
    for span in sorted(span for span in spans if not np.isnan(span.value)):
        if span.start_s > at:
            unrated.append((at, min(span.start_s, end_s)))
        at = max(at, span.end_s)
    return [(a, b) for a, b in [*unrated, (at, end_s)] if b - a > 1e-6]
