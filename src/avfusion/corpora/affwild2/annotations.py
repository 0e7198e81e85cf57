"""Read Aff-Wild2 annotation files.

A file has a header and one row per frame; -5 in either column marks an unrated frame. Row i after
the header belongs to image i and to frame i of the video, so no row is dropped or moved. A row that
cannot be read is reported with its file and line.
"""

import re
from dataclasses import dataclass, field

import numpy as np

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", flags=re.ASCII)


HEADER = ("valence", "arousal")


UNRATED = -5.0


@dataclass
class Rows:
    """Ratings of one trial.

    values: float64 (N, 2), valence and arousal, NaN where unrated. faults: messages that begin
    with `file:line:`.
    """

    values: np.ndarray
    faults: list[str] = field(default_factory=list)

    @property
    def valid(self) -> int:
        """Number of rated rows."""
        return int((~np.isnan(self.values[:, 0])).sum())


def read_rows(raw: bytes, name: str) -> Rows:
    """Parse the bytes of one annotation file without raising.

    A row with a single -5 is unrated in both dimensions.
    """
    lines = raw.decode("utf-8-sig", errors="replace").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        return Rows(np.empty((0, 2)), [f"{name}:1: the file is empty"])
    faults = []
    if tuple(part.strip().lower() for part in lines[0].split(",")) != HEADER:
        faults.append(f"{name}:1: expected the header 'valence,arousal', found {_short(lines[0])}")
    values = np.full((len(lines) - 1, 2), np.nan)
    for at, line in enumerate(lines[1:]):
        fault = _read(line, values[at])
        if fault:
            faults.append(f"{name}:{at + 2}: {fault}")
    return Rows(values, faults)


def _read(line: str, out: np.ndarray) -> str:
    """Fill `out` (2,) with the ratings of a line; return the fault, or an empty string."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 2:
        return f"expected two numbers, found {_short(line)}"
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return f"not two numbers: {_short(line)}"
    pair = [float(part) for part in parts]
    if not all(-1 <= x <= 1 or x == UNRATED for x in pair):
        return f"neither within [-1, 1] nor -5: {_short(line)}"
    if UNRATED not in pair:
        out[:] = pair
    return ""


def _short(line: str) -> str:
    return repr(line if len(line) <= 40 else f"{line[:40]}…")
