"""What several formats share: means per second, printed numbers, and doubts without overlap."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from avfusion.prediction.prediction import Doubt, Prediction, Target

MINUS, NOTHING = "\u2212", "\u2013"
_SLACK_S = 1e-6


class Mean(NamedTuple):
    """Means of the rows of one person between two times; NaN without a predicted row."""

    start_s: float
    end_s: float
    values: dict[str, float]


class Span(NamedTuple):
    """A part of the clip with the same doubts throughout."""

    start_s: float
    end_s: float
    reasons: tuple[str, ...]


GAP = 1.5
"""Rows further apart than so many steps are not joined by a line."""


def tracks(prediction: Prediction) -> Iterable[tuple[int | None, pd.DataFrame]]:
    """Yield (person or None, rows) by person.

    None is the one person that was followed, or that no face was ever found.
    """
    if not prediction.everyone:
        yield None, prediction.table.sort_values("time_s", kind="stable", ignore_index=True)
        return
    for number, rows in prediction.table.groupby("track_id", dropna=False, sort=True):
        yield (None if pd.isna(number) else int(number)), rows


def changes(prediction: Prediction) -> list[float]:
    """Return the times in seconds at which the track of the one followed person changes."""
    if prediction.everyone:
        return []
    rows = prediction.table.sort_values("time_s", kind="stable").dropna(subset="track_id")
    changed = np.flatnonzero(np.diff(rows["track_id"].to_numpy(int))) + 1
    times_s = rows["time_s"].to_numpy(float)[changed] - prediction.step_s
    return [round(float(at_s), 6) for at_s in times_s]


def voice(prediction: Prediction) -> pd.DataFrame:
    """Return a row per time with the probability of speech, which is the same for all persons."""
    rows = prediction.table.sort_values("time_s", kind="stable", ignore_index=True)
    return rows.drop_duplicates("time_s", ignore_index=True)


def with_gaps(rows: pd.DataFrame, step_s: float) -> pd.DataFrame:
    """Return the rows of a person with rows of NaN where steps are missing, so that lines break.

    >>> rows = pd.DataFrame({"time_s": [1.0, 2.0, 5.0], "valence": 0.5})
    >>> with_gaps(rows, 1.0)["valence"].tolist()
    [0.5, 0.5, nan, nan, 0.5]
    """
    times_s = rows["time_s"].to_numpy(float)
    after = np.flatnonzero(np.diff(times_s) > GAP * step_s)
    if not len(after):
        return rows
    missing = [
        np.arange(times_s[at] + step_s, times_s[at + 1] - step_s / 2, step_s) for at in after
    ]
    blank = pd.DataFrame({"time_s": np.concatenate(missing)})
    joined = pd.concat([rows, blank], ignore_index=True)
    return joined.sort_values("time_s", kind="stable", ignore_index=True)


def means(prediction: Prediction, rows: pd.DataFrame, length_s: float = 1.0) -> list[Mean]:
    """Return the means of one person's rows over pieces of about `length_s`.

    A row at `time_s` covers the step that ends there. Pieces without a row are left out. Rows
    longer than `length_s` are one piece each.
    """
    if not len(rows):
        return []
    step_s = prediction.step_s
    start_s = (rows["time_s"] - step_s).clip(lower=0.0)
    length_s = max(length_s, step_s)
    piece = np.floor((start_s + _SLACK_S) / length_s).astype(int)
    names = [target.name for target in prediction.targets]
    values = rows[names].groupby(piece).mean()
    first_s, last_s = start_s.groupby(piece).min(), rows["time_s"].groupby(piece).max()
    return [
        Mean(float(first_s[at]), float(last_s[at]), dict(zip(names, row, strict=True)))
        for at, row in zip(values.index, values.to_numpy(float), strict=True)
    ]


def digits(target: Target) -> int:
    """Return the number of decimals for a target: hundredths of a scale of 2, tenths of one of 100.

    >>> digits(Target("valence", -1, 1)), digits(Target("pain", 0, 10)), digits(Target("x", 0, 100))
    (2, 2, 1)
    """
    size = target.high - target.low
    return 2 if size <= 20 else max(0, 3 - math.floor(math.log10(size)))


def printed(value: float, target: Target) -> str:
    """Return a value as text, with a sign if the scale has both signs; a dash for NaN.

    >>> printed(-0.1, Target("valence", -1, 1)), printed(3.14159, Target("pain", 0, 10))
    ('−0.10', '3.14')
    """
    if math.isnan(value):
        return NOTHING
    text = f"{value:{'+' if target.low < 0 else ''}.{digits(target)}f}"
    return text.replace("-", MINUS)


def scale(target: Target) -> str:
    """Return the ends of a scale as text.

    >>> scale(Target("valence", -1, 1))
    '−1 to 1'
    """
    return f"{target.low:g} to {target.high:g}".replace("-", MINUS)


def label(track_id: int | None) -> str:
    """Return how a person is called.

    >>> label(1), label(None)
    ('person 1', 'person')
    """
    return "person" if track_id is None else f"person {track_id}"


def doubts_of(prediction: Prediction, track_id: int | None) -> list[Doubt]:
    """Return the doubts that concern a person, in order."""
    concerned = [d for d in prediction.doubts if d.track_id is None or d.track_id == track_id]
    return sorted(concerned, key=lambda doubt: (doubt.start_s, doubt.end_s, doubt.reason))


def separate(doubts: list[Doubt]) -> list[Span]:
    """Return spans that do not overlap, each with the reasons of all doubts in it.

    >>> spans = separate([Doubt(0, 3, "dark"), Doubt(2, 4, "far")])
    >>> [(span.start_s, span.end_s, span.reasons) for span in spans]
    [(0, 2, ('dark',)), (2, 3, ('dark', 'far')), (3, 4, ('far',))]
    """
    edges = sorted({edge for doubt in doubts for edge in (doubt.start_s, doubt.end_s)})
    spans = []
    for start_s, end_s in pairwise(edges):
        inside = [d.reason for d in doubts if d.start_s < end_s and d.end_s > start_s]
        if inside:
            spans.append(Span(start_s, end_s, tuple(dict.fromkeys(inside))))
    return spans
