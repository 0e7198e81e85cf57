"""Read the ratings of one video: CSV, Parquet, ELAN or ARFF (AVEC)."""

from dataclasses import replace
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from avfusion.corpora.formats.elan import read_eaf
from avfusion.corpora.formats.ratings import Ratings, no_ratings, read_arff
from avfusion.corpora.formats.spans import LONGEST_S, Span, held
from avfusion.corpora.formats.table import Sheet, read_sheet, short
from avfusion.corpora.own.rules import RatingRules
from avfusion.errors import CorpusError
from avfusion.io.bounded import content

if TYPE_CHECKING:
    from avfusion.media.timing import Timing

TABLES, ENDINGS = (".csv", ".tsv", ".parquet"), ".csv, .tsv, .parquet, .eaf or .arff"

HINT = (
    "A rating file has one column per target and `time_s`, the time in seconds from the start of "
    "the video. If several people rated it, write their mean."
)

PLAIN = RatingRules()


def read_ratings(
    path: Path,
    name: str,
    targets: tuple[str, ...],
    hz: float,
    rules: RatingRules = PLAIN,
    clock: "Timing | None" = None,
) -> Ratings:
    """Read a rating file.

    Parameters
    ----------
    path
        Table with `time_s` and one column per target, ELAN document, or ARFF file of one target.
    name
        Name of the file in messages.
    targets
        The K targets to read.
    hz
        Instants per second at which the spans of an ELAN document are sampled.
    rules
        Unit of `time_s` in tables.
    clock
        Times of the video's frames, where the unit needs them.

    Returns
    -------
    Ratings
        Instants (N,) and values (N, K); a file that cannot be read is a fault.
    """
    ending = path.suffix.lower()
    if not isfile(path):  # `Path.is_file` raises for a name that is too long
        return no_ratings(f"{name}:1: no such file")
    if ending in TABLES:
        ratings = _table(path, name, targets, rules, clock)
    elif ending == ".eaf":
        ratings = read_eaf(content(path), name, targets, hz)
        return _as_lines(ratings, hz) if rules.held else ratings
    elif ending == ".arff" and len(targets) == 1:
        ratings = read_arff(content(path), name)
        ratings.columns = targets
    elif ending == ".arff":
        columns = ", ".join(f"ratings_{target}" for target in targets)
        return no_ratings(f"{name}:1: an ARFF file holds one target; name them under {columns}")
    else:
        return no_ratings(f"{name}:1: unknown file type; expected {ENDINGS}")
    return _ascending(ratings, name) if rules.held else ratings


def _table(
    path: Path, name: str, targets: tuple[str, ...], rules: RatingRules, clock: "Timing | None"
) -> Ratings:
    try:
        sheet = read_sheet(path, name, ("time_s", *targets), HINT)
    except CorpusError as error:
        text = str(error).removeprefix(str(path))
        return no_ratings(text if text.startswith(name) else f"{name}:1: {text.lstrip(': ')}")
    if rules.unit == "frames" and (clock is None or len(clock.times_s) < 2):
        return no_ratings(f"{name}:1: times are in frames, and the video's frames cannot be read")
    rows = []
    for where, row in sheet.rows:
        cells = [_time(sheet, where, row, rules, clock)]
        cells += [sheet.number(where, row, column) for column in targets]
        numbers = [cell for cell in cells if cell is not None]
        if len(numbers) < len(cells):
            continue
        if np.isnan(numbers[0]):
            sheet.faults.append(f"{where}: no time")
        else:
            rows.append(numbers)
    if not rows and not sheet.faults:
        sheet.faults.append(f"{name}: no row")
    table = np.array(rows, float).reshape(-1, 1 + len(targets))
    return Ratings(table[:, 0], table[:, 1:], targets, faults=sheet.faults)


def _ascending(ratings: Ratings, name: str) -> Ratings:
    """Return held ratings, or a fault if a line does not come after the line before it."""
    steps = np.diff(ratings.time_s)
    if (steps > 0).all():
        return ratings
    at = int(np.argmax(steps <= 0))
    before_s, time_s = ratings.time_s[at : at + 2]
    fault = f"{name}: {time_s:g} s comes after {before_s:g} s; times of held ratings must increase"
    return replace(no_ratings(fault), faults=[*ratings.faults, fault])


def _as_lines(ratings: Ratings, hz: float) -> Ratings:
    """Return spans that were sampled in the middle of every 1 / hz s as lines that hold so long."""
    number = ratings.time_s * hz - 0.5
    sampled = np.abs(number - np.round(number)) < 1e-3  # others are unrated instants at changes
    starts_s = ratings.time_s[sampled] - 0.5 / hz
    unrated = np.full((1, ratings.values.shape[1]), np.nan)
    return replace(
        ratings,
        time_s=np.append(starts_s, starts_s[-1:] + 1 / hz),
        values=np.concatenate([ratings.values[sampled], unrated[: len(starts_s)]]),
    )


def _time(
    sheet: Sheet, where: str, row: dict[str, str], rules: RatingRules, clock: "Timing | None"
) -> float | None:
    """Return the time of a row in seconds; None and a fault if it cannot be read."""
    text = row["time_s"]
    time_s, fault = rules.time_s(text, clock)
    if fault:
        sheet.faults.append(f"{where}: time_s is {short(text)}, {fault}")
    elif time_s is None and (number := sheet.number(where, row, "time_s")) is not None:
        time_s = rules.in_seconds(number, clock)
    return time_s


def hold(
    parts: list[Ratings], targets: tuple[str, ...], hz: float, clock: "Timing | None"
) -> pd.DataFrame:
    """Return ratings that hold until the next line of their file, sampled `hz` times a second.

    The last line holds until the video ends, or for one sample if its end is not known. A blank
    cell ends a rating. The lines of each part ascend.
    """
    spans: dict[str, list[Span]] = {target: [] for target in targets}
    for part in parts:
        starts_s = part.time_s
        last_s = starts_s[-1] + 1 / hz if clock is None else clock.end_s
        ends_s = np.minimum(np.append(starts_s[1:], last_s), min(last_s, LONGEST_S))
        starts_s = np.maximum(starts_s, 0.0)
        for column, target in enumerate(part.columns):
            each = zip(starts_s, ends_s, part.values[:, column], strict=True)
            spans[target] += [Span(a, b, value) for a, b, value in each if b > a]
    return held(spans, hz).reindex(columns=["time_s", *targets])


def joined(parts: list[Ratings], targets: tuple[str, ...]) -> pd.DataFrame:
    """Return `time_s` and all targets of one video, NaN where a target is unrated.

    Repeated instants of a file are kept, so that the check of times can report the video.
    """
    if len(parts) == 1:
        table = pd.DataFrame(parts[0].values, columns=list(parts[0].columns))
        table.insert(0, "time_s", np.round(parts[0].time_s, 6))
    else:
        table = pd.concat([_indexed(part) for part in parts], axis=1).sort_index()
        table = table.droplevel("repetition").reset_index()
    return table.reindex(columns=["time_s", *targets])


def _indexed(part: Ratings) -> pd.DataFrame:
    """Return the ratings of a file by their time and how often it came before."""
    times_s = pd.Series(np.round(part.time_s, 6), name="time_s")
    repetition = times_s.groupby(times_s).cumcount().rename("repetition")
    return pd.DataFrame(part.values, index=[times_s, repetition], columns=list(part.columns))
