"""Read rating files: ARFF (AVEC), one column per rater (RECOLA), or columns without a header.

Every line that cannot be read is reported with file and line; none is dropped silently.
"""

import re
from dataclasses import dataclass, field

import numpy as np

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", flags=re.ASCII)
_BLANK = ("", "?", "nan")


@dataclass
class Ratings:
    """Ratings of one file.

    Parameters
    ----------
    time_s
        Instants (N,) in seconds.
    values
        Ratings (N, C), NaN where missing.
    columns
        Names of the C columns.
    names
        Recordings that the rows of an ARFF file name.
    faults
        Unreadable lines, as `file:line: problem`.
    """

    time_s: np.ndarray
    values: np.ndarray
    columns: tuple[str, ...]
    names: frozenset[str] = frozenset()
    faults: list[str] = field(default_factory=list)


def read_arff(raw: bytes, name: str) -> Ratings:
    """Read the gold standard of AVEC: rows `name,time,value` after the line `@data` (any case)."""
    lines = _lines(raw)
    marks = [at for at, line in enumerate(lines) if line.strip().lower() == "@data"]
    if not marks:
        return no_ratings(f"{name}:1: no line '@data', so this is no ARFF file")
    rows: list[list[float]] = []
    names: set[str] = set()
    faults: list[str] = []
    for at, line in enumerate(lines[marks[0] + 1 :], start=marks[0] + 2):
        if not line.strip() or line.lstrip().startswith("%"):
            continue
        parts = [part.strip().strip("'\"") for part in line.split(",")]
        numbers, fault = _numbers(parts[1:], 2, line)
        if fault:
            faults.append(f"{name}:{at}: {fault}")
        else:
            names.add(parts[0])
            rows.append(numbers)
    ratings = _ratings(rows, ("gold",), faults, name)
    ratings.names = frozenset(names)
    return ratings


def read_raters(raw: bytes, name: str) -> Ratings:
    """Read a table with the column `time` and one column per rater, separated by `;` or `,`.

    Blanks around the names, which RECOLA has, are removed.
    """
    lines = _lines(raw)
    if not lines:
        return no_ratings(f"{name}:1: the file is empty")
    separator = ";" if ";" in lines[0] else ","
    header = tuple(part.strip() for part in lines[0].split(separator))
    if header[0].lower() != "time" or len(header) < 2 or len(set(header)) < len(header):
        return no_ratings(f"{name}:1: expected 'time;rater;...', found {_short(lines[0])}")
    rows: list[list[float]] = []
    faults: list[str] = []
    for at, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        numbers, fault = _numbers(line.split(separator), len(header), line)
        if fault:
            faults.append(f"{name}:{at}: {fault}")
        else:
            rows.append(numbers)
    return _ratings(rows, header[1:], faults, name)


def read_bare(raw: bytes, name: str, step_s: float) -> Ratings:
    """Read a table without header, the value in column 0, one row every `step_s` seconds."""
    rows: list[list[float]] = []
    faults: list[str] = []
    for at, line in enumerate(_lines(raw), start=1):
        if not line.strip():
            continue
        numbers, fault = _numbers(line.split(",")[:1], 1, line)
        if fault:
            faults.append(f"{name}:{at}: {fault}")
        else:
            rows.append([round(len(rows) * step_s, 6), *numbers])
    return _ratings(rows, ("gold",), faults, name)


def _ratings(
    rows: list[list[float]], columns: tuple[str, ...], faults: list[str], name: str
) -> Ratings:
    if not rows and not faults:
        faults = [f"{name}: no row"]
    table = np.array(rows, float).reshape(-1, 1 + len(columns))
    return Ratings(table[:, 0], table[:, 1:], columns, faults=faults)


def no_ratings(fault: str) -> Ratings:
    """Return ratings without instants and with one fault."""
    return Ratings(np.empty(0), np.empty((0, 1)), ("gold",), faults=[fault])


def _lines(raw: bytes) -> list[str]:
    text = raw.decode("utf-8-sig", errors="replace").rstrip()
    return text.replace("\r\n", "\n").split("\n") if text else []


def _numbers(parts: list[str], count: int, line: str) -> tuple[list[float], str]:
    """Return the numbers of a row, NaN where missing, and a fault, empty if there is none."""
    parts = [part.strip() for part in parts]
    if len(parts) != count:
        return [], f"expected {count} numbers, found {_short(line)}"
    if not all(part.lower() in _BLANK or _NUMBER.fullmatch(part) for part in parts):
        return [], f"not numbers: {_short(line)}"
    numbers = [np.nan if part.lower() in _BLANK else float(part) for part in parts]
    if count > 1 and np.isnan(numbers[0]):
        return [], f"no time: {_short(line)}"
    if any(np.isinf(numbers)):
        return [], f"too large: {_short(line)}"
    return numbers, ""


def _short(line: str) -> str:
    return repr(line if len(line) <= 40 else f"{line[:40]}…")
