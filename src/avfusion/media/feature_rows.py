"""Rows of a file of features: their columns, their times, and which of them failed.

A row lasts until the next one, but at most `LONGEST` usual steps, so that gaps stay gaps. The one
row of a file without times lasts for the complete file.
"""

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from avfusion.errors import CorpusError
from avfusion.media.feature_formats import TIMES
from avfusion.media.feature_forms import UNITS, Form
from avfusion.media.feature_parts import Part, listed

LONGEST = 1.5
"""Usual steps that a row lasts at most; ratings are interpolated over as many."""
COLUMNS = ("time", "stop", "failed", "confidence")
"""Options that name a column of the file."""
NUMBERS = r"\s*[+-]?(?:\d[\d.,']*|[.,]\d+)(?: \d{3})*(?:[eE][+-]?\d+)?\s*%?\s*"
"""What looks like a number, such as 1,234.5 or 12 %."""
TOO_LONG = 100
"""Lengths of a recording after which its rows cannot begin, if their unit is that of its length."""


class Rows(NamedTuple):
    """The rows of one file, ascending and without overlaps."""

    starts_s: np.ndarray  # float64 (M,)
    stops_s: np.ndarray  # float64 (M,)
    values: np.ndarray  # float32 (M, D); NaN where the tool failed
    names: tuple[str, ...]  # of the D columns


def read_rows(where: Path, form: Form, part: Part, end_s: float, spread_s: float) -> Rows:
    """Return the rows of a video, in seconds from the start of its file.

    Parameters
    ----------
    where
        The file.
    form
        How it is read.
    part
        Its rows of the video.
    end_s
        Where the rows that are read end, in seconds; infinite if that is not known.
    spread_s
        Length of the recording over which rows are spread evenly, NaN if it is not known.

    Raises
    ------
    CorpusError
        If it lacks a column, its times do not ascend, a single row has a time other than 0 and no
        length, or its rows are spread over a recording of unknown length.
    """
    frame = part.table.frame
    times = [name for name in TIMES if name in frame.columns]
    if times and form.time not in frame.columns and "time" not in form.stated:
        if form.hop_s:
            raise CorpusError(f"{where}: has times ({times[0]}). Remove `hop_s` of its encoder.")
        if len(times) > 1:
            raise CorpusError(
                f"{where}: has times in {' and '.join(times)}. Name one by `time` of its encoder."
            )
        form = replace(form, time=times[0])
    if part.table.single and form.hop_s:
        frame = frame.T.rename(columns=str)  # a track of one feature
    _require(where, frame, form)
    names = _features(where, frame, form)
    values = frame[list(names)].to_numpy(np.float32, copy=True)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise CorpusError(
            f"{where}: {names[column]} is infinite in row {row + 1}. Leave the column out by "
            f"`columns`, or extract the file again."
        )
    values[_failed(frame, values, form)] = np.nan
    return Rows(*_times(where, frame, form, end_s, spread_s), values, names)


def _require(where: Path, frame: pd.DataFrame, form: Form) -> None:
    """Raise CorpusError if an option names a column that is not there."""
    needed = {option: getattr(form, option) for option in COLUMNS if option in form.stated}
    if form.least_confidence:
        needed["confidence"] = form.confidence
    for option, name in needed.items():
        if name not in frame.columns:
            raise CorpusError(
                f"{where}: no column {name!r}; it has {listed(frame)}. Set `{option}` of its "
                f"encoder."
            )


def _features(where: Path, frame: pd.DataFrame, form: Form) -> tuple[str, ...]:
    """Return the columns that are features, in the order of the file."""
    other = {form.time, form.stop, form.failed, form.confidence, form.video}
    if "columns" not in form.stated:
        other |= set(TIMES)
    possible = [x for x in frame.columns if x not in other and not _matches(x, form.leave)]
    kinds = frame.dtypes
    numeric = [x for x in possible if pd.api.types.is_numeric_dtype(kinds[x]) or not len(frame)]
    kept = [name for name in numeric if not form.columns or _matches(name, form.columns)]
    for name in possible:
        if name not in numeric and (not form.columns or _matches(name, form.columns)):
            _refuse_text(where, frame[name], name)
    unused = [p for p in form.columns if not any(fnmatchcase(name, p) for name in numeric)]
    if not kept or (unused and "columns" in form.stated):
        if len(frame.columns) == 1 and not kept:
            raise CorpusError(
                f"{where}: one column was read, {str(frame.columns[0])[:60]!r}, which holds no "
                f"numbers. Separate cells by comma, semicolon or tab."
            )
        raise CorpusError(
            f"{where}: no column of numbers matches {', '.join(unused or form.columns or '*')}. "
            f"It has {len(numeric)}: {listed(frame[numeric])}, out of {listed(frame)}. Set "
            f"`columns` of its encoder."
        )
    return tuple(kept)


def _refuse_text(where: Path, column: pd.Series, name: str) -> None:
    """Raise CorpusError if most cells of a column look like numbers, and some are none."""
    given = column.dropna().astype(str)
    alike = given.str.fullmatch(NUMBERS).to_numpy(bool)
    numbers = pd.to_numeric(given, errors="coerce").notna().to_numpy()
    if len(given) and alike.mean() > 0.5 and not numbers.all():
        at = int(np.argmin(numbers))
        raise CorpusError(
            f"{where}: {name} is {given.iloc[at][:40]!r} in row {int(given.index[at]) + 1}, no "
            f"number ({int((~numbers).sum())} such rows). Write numbers as 1234.5, and leave a "
            f"cell empty if nothing was computed; or leave the column out by `columns` of its "
            f"encoder."
        )


def refuse_length(where: Path, form: Form, rows: Rows, end_s: float) -> None:
    """Refuse rows whose times cannot be those of their recording.

    Parameters
    ----------
    where
        The file.
    form
        How it is read.
    rows
        Its rows.
    end_s
        Where the recording ends, in seconds; infinite or NaN if that is not known.

    Raises
    ------
    CorpusError
        If rows begin long after the end, as times in milliseconds do, or if rows and columns of an
        array are exchanged.
    """
    count, width = rows.values.shape
    if not np.isfinite(end_s) or not count:
        return
    if count > 1 and rows.starts_s[-1] > TOO_LONG * max(end_s, 1.0):
        raise CorpusError(
            f"{where}: its {count} rows begin from {rows.starts_s[0]:.12g} to "
            f"{rows.starts_s[-1]:.12g} s, and the recording ends at {end_s:g} s. Are the times in "
            f"milliseconds? Then set `unit: milliseconds` of its encoder; or correct `hop_s`."
        )
    hop_s = form.hop_s or 0.0
    short = rows.names == tuple(map(str, range(width))) and count * hop_s < end_s / 2
    if short and abs(width * hop_s - end_s) <= 2 * hop_s + 0.02 * end_s:
        raise CorpusError(
            f"{where}: {count} rows of {width} numbers last {count * hop_s:g} s, and the "
            f"recording {end_s:g} s, as {width} rows of {count} would. Are rows and columns "
            f"exchanged? Save the array as (rows, features)."
        )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _failed(frame: pd.DataFrame, values: np.ndarray, form: Form) -> np.ndarray:
    """Return which rows the tool could not compute, bool (M,)."""
    failed = np.isnan(values).all(1)
    if form.failed in frame.columns:
        failed |= ~(frame[form.failed].to_numpy(float) > 0)
    if form.confidence in frame.columns:
        failed |= ~(frame[form.confidence].to_numpy(float) >= form.least_confidence)
    if form.zero_failed:
        failed |= (values == 0).all(1)
    return failed


def _times(
    where: Path, frame: pd.DataFrame, form: Form, end_s: float, spread_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return start and end of each row, float64 (M,) each."""
    count = len(frame)
    starts_s: np.ndarray
    if form.time in frame.columns:
        starts_s = _seconds(where, frame[form.time], form) + form.begin_s
        if form.time == "frame":  # counted, from 0
            if not form.hop_s:
                raise CorpusError(
                    f"{where}: `frame` counts pictures. Set `hop_s` of its encoder to the seconds "
                    f"of one, such as 0.04 for 25 pictures per second."
                )
            starts_s = (starts_s - form.begin_s) * form.hop_s + form.begin_s
    elif form.hop_s:
        starts_s = form.begin_s + form.hop_s * np.arange(count, dtype=float)
    elif count < 2 or (form.even and np.isinf(end_s)):
        return np.zeros(count), np.full(count, end_s)
    elif form.even:
        if np.isnan(spread_s):
            raise CorpusError(
                f"{where}: {count} rows are spread over a recording of unknown length, and the "
                f"video is a span of it. Set `hop_s` of its encoder to the seconds of a row, or "
                f"extract a file per video and name it by `path`, such as features/{{video}}.npy."
            )
        edges_s = np.arange(count + 1) * (spread_s / count)
        return edges_s[:-1], edges_s[1:]
    else:
        raise CorpusError(
            f"{where}: {count} rows without times. Name a column by `time`, or set `hop_s` of its "
            f"encoder, such as 0.02 for 50 rows per second."
        )
    if form.stop in frame.columns:
        stops_s = _seconds(where, frame[form.stop], form, blank=end_s) + form.begin_s
        return _apart(where, starts_s, stops_s)
    if count == 1 and not form.hop_s:
        if starts_s[0] == form.begin_s:  # a summary of the recording, as openSMILE's functionals
            return np.zeros(1), np.full(1, end_s)
        raise CorpusError(
            f"{where}: one row at {starts_s[0]:g} s, and nothing states how long it lasts. Set "
            f"`time: {form.time}` and `hop_s` of its encoder, or `stop`, the column of its end."
        )
    _ascending(where, starts_s)
    steps_s = np.diff(starts_s)
    usual_s = float(np.median(steps_s)) if len(steps_s) else float(form.hop_s or 0)
    if form.hop_s and form.time not in frame.columns:
        return starts_s, starts_s + form.hop_s
    return starts_s, starts_s + np.minimum(np.append(steps_s, usual_s), LONGEST * usual_s)


def _seconds(where: Path, column: pd.Series, form: Form, blank: float | None = None) -> np.ndarray:
    """Return a column of times, or of durations such as `0 days 00:00:01.5`, float64 (M,)."""
    if pd.api.types.is_timedelta64_dtype(column):
        times_s = column.dt.total_seconds().to_numpy(float)
    elif pd.api.types.is_numeric_dtype(column):
        times_s = column.to_numpy(float) / UNITS[form.unit]
    else:
        spans = pd.to_timedelta(column.astype(str).replace("NaT", None), errors="coerce")
        times_s = spans.dt.total_seconds().to_numpy(float)
    if blank is not None:
        times_s = np.where(np.isnan(times_s), blank, times_s)
    if np.isnan(times_s).any():
        row = int(np.flatnonzero(np.isnan(times_s))[0])
        raise CorpusError(
            f"{where}: {column.name} is {column.iloc[row]!r} in row {row + 1}, no time. Give "
            f"seconds, or durations such as 00:01:02.5."
        )
    return times_s


def _ascending(where: Path, starts_s: np.ndarray) -> None:
    """Raise CorpusError unless times ascend strictly."""
    wrong = np.flatnonzero(np.diff(starts_s) <= 0)
    if len(wrong):
        row = int(wrong[0]) + 1
        raise CorpusError(
            f"{where}: times do not ascend: {starts_s[row]:g} s in row {row + 1} follows "
            f"{starts_s[row - 1]:g} s ({len(wrong)} such rows). Sort the rows, and keep one per "
            f"time, such as one face."
        )


def _apart(where: Path, starts_s: np.ndarray, stops_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return spans without overlaps: those that overlap meet between their middles."""
    _ascending(where, starts_s)
    if (stops_s < starts_s).any():
        row = int(np.flatnonzero(stops_s < starts_s)[0])
        raise CorpusError(
            f"{where}: row {row + 1} ends at {stops_s[row]:g} s, before its start at "
            f"{starts_s[row]:g} s. Extract the file again."
        )
    over = stops_s[:-1] > starts_s[1:]
    middles_s = (starts_s + stops_s) / 2
    edges_s = (middles_s[1:] + middles_s[:-1]) / 2
    edges_s = np.clip(edges_s, starts_s[1:], np.minimum(stops_s[1:], stops_s[:-1]))
    edges_s = np.where(over, edges_s, np.inf)
    edges_s = np.minimum.accumulate(edges_s[::-1])[::-1]  # a span can lie inside another one
    return (
        np.append(starts_s[:1], np.where(over, edges_s, starts_s[1:])),
        np.append(np.where(over, edges_s, stops_s[:-1]), stops_s[-1:]),
    )
