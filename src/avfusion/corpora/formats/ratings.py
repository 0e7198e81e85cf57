"""Rating files: ARFF (AVEC), one column per rater (RECOLA), or bare columns of numbers.

No line is dropped in silence: each line that cannot be read is reported with file and line.
"""

import re
from dataclasses import dataclass, field

import numpy as np

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", flags=re.ASCII)


_BLANK = ("", "?", "nan")


@dataclass
class Ratings:
    """Instants (N,), values (N, C) with NaN where missing, and faults that begin `file:line:`."""

    time_s: np.ndarray
    values: np.ndarray
    columns: tuple[str, ...]
    names: frozenset[str] = frozenset()  # recordings that an ARFF's rows say they are of
    faults: list[str] = field(default_factory=list)


def read_arff(raw: bytes, name: str) -> Ratings:
    """AVEC's gold: rows `name,time,value` after a line `@data`, however that is spelt."""
    lines = _lines(raw)
    marks = [at for at, line in enumerate(lines) if line.strip().lower() == "@data"]
    if not marks:
        return no_ratings(f"{name}:1: no line '@data', so this is no ARFF file")
    rows, names, faults = [], set(), []
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
    found = _ratings(rows, ("gold",), faults, name)
    found.names = frozenset(names)
    return found


def read_raters(raw: bytes, name: str) -> Ratings:
    """One column a rater after `time`; `;` or `,` between; blanks around names are RECOLA's own."""
    lines = _lines(raw)
    if not lines:
        return no_ratings(f"{name}:1: the file is empty")
    mark = ";" if ";" in lines[0] else ","
    header = tuple(part.strip() for part in lines[0].split(mark))
    if header[0].lower() != "time" or len(header) < 2 or len(set(header)) < len(header):
        return no_ratings(f"{name}:1: expected 'time;rater;...', found {_short(lines[0])}")
    rows, faults = [], []
    for at, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        numbers, fault = _numbers(line.split(mark), len(header), line)
        if fault:
            faults.append(f"{name}:{at}: {fault}")
        else:
            rows.append(numbers)
    return _ratings(rows, header[1:], faults, name)


def read_bare(raw: bytes, name: str, step_s: float) -> Ratings:
    """A table of numbers without header, the value in column 0, one row every `step_s`."""
    rows, faults = [], []
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
    return Ratings(np.empty(0), np.empty((0, 1)), ("gold",), faults=[fault])


def _lines(raw: bytes) -> list[str]:
    text = raw.decode("utf-8-sig", errors="replace").rstrip()
    return text.replace("\r\n", "\n").split("\n") if text else []


def _numbers(parts: list[str], count: int, line: str) -> tuple[list[float], str]:
    """The row's numbers, NaN where missing; or what is wrong with it."""
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
