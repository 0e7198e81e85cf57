"""Read CSV and Parquet tables written by hand, and report faults with file and line."""

import csv
import difflib
import io
import re
from dataclasses import dataclass, field
from os.path import isfile
from pathlib import Path, PurePosixPath

import pandas as pd

from avfusion.corpora.formats.spelling import normal
from avfusion.errors import CorpusError
from avfusion.io.bounded import refuse_large, refuse_large_parquet
from avfusion.io.cells import visible
from avfusion.io.halves import HALF
from avfusion.media.kinds import binary_kind

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", flags=re.ASCII)
BLANK = ("", "?", "nan", "none", "null")
LONGEST_NAME = 230
"""Most bytes of a video's name. A file name has at most 255, and files of a video have endings."""


@dataclass
class Sheet:
    """Rows of a table as text.

    Parameters
    ----------
    name
        Name of the file in messages.
    columns
        Names of the columns.
    rows
        Position (`file:line`) and cells by column.
    faults
        Unreadable lines and cells.
    refused
        Paths of videos in rows that were removed because of a fault.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[str, dict[str, str]]]
    faults: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def number(self, where: str, row: dict[str, str], column: str) -> float | None:
        """Return a cell as a number, NaN if blank; if it is no number, add a fault, return None."""
        text = row.get(column, "")
        if text.lower() in BLANK:
            return float("nan")
        value = float(text) if NUMBER.fullmatch(text) else float("inf")
        if abs(value) == float("inf"):
            self.faults.append(f"{where}: {column} is {short(text)}, which is no number")
            return None
        return value


def read_sheet(path: Path, name: str, needed: tuple[str, ...], hint: str) -> Sheet:
    """Read a CSV or Parquet table.

    CSV may be separated by comma, semicolon or tab. A line with a wrong number of cells is a fault.

    Parameters
    ----------
    path
        The file.
    name
        Name of the file in messages.
    needed
        Columns that must exist.
    hint
        Advice that ends the message of an error.

    Raises
    ------
    CorpusError
        If there is no such file, it cannot be read, or a column is missing.
    """
    if not isfile(path):  # `Path.is_file` raises for a name that is too long
        raise CorpusError(f"{path}: no such file. {hint}")
    sheet = _parquet(path, name) if path.suffix == ".parquet" else _csv(path, name)
    for column in needed:
        if column not in sheet.columns:
            present = f"only: {', '.join(sheet.columns) or 'nothing'}."
            for other in difflib.get_close_matches(column, sheet.columns, n=1):
                present += f" If {other!r} is meant, rename it to {column!r}."
            raise CorpusError(f"{name}:1: no column {column!r}, {present} {hint}")
    return sheet


def _csv(path: Path, name: str) -> Sheet:
    try:
        if kind := binary_kind(path):  # before 256 MB of it are read
            raise CorpusError(f"{name}: not a table but {kind}. Name the table instead.")
        refuse_large(path)
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CorpusError(f"{name}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name}: not UTF-8 (byte {error.start:,}). Save it as UTF-8.") from None
    except ValueError as error:
        raise CorpusError(f"{name}: {error}.") from None
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header = tuple(cell.strip() for cell in next(reader, []))
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise CorpusError(f"{name}:1: two columns are named {twice[0]!r}. Rename one.")
    sheet = Sheet(name, header, [])
    try:
        for cells in reader:
            _add(sheet, f"{name}:{reader.line_num}", cells)
    except csv.Error as error:
        sheet.faults.append(f"{name}:{reader.line_num}: {error}; the rest is not read")
    return sheet


def _add(sheet: Sheet, where: str, cells: list[str]) -> None:
    """Add a line as a row, or as a fault if its number of cells is wrong; skip blank lines."""
    cells = [cell.strip() for cell in cells]
    if not any(cells):
        return
    if len(cells) != len(sheet.columns):
        line = f"{len(cells)}: {short(', '.join(cells))}"
        sheet.faults.append(f"{where}: expected {len(sheet.columns)} cells, found {line}")
    else:
        sheet.rows.append((where, dict(zip(sheet.columns, cells, strict=True))))


def _parquet(path: Path, name: str) -> Sheet:
    try:
        refuse_large_parquet(path)
        table = pd.read_parquet(path)
    except Exception as error:  # pandas reads metadata that anybody may have written
        reason = f"{type(error).__name__}: {str(error)[:160]}"
        raise CorpusError(f"{name}: not a Parquet table that can be read ({reason}).") from None
    if any(table.index.names):
        table = table.reset_index()
    text = table.astype(object).where(table.notna(), "").astype(str)
    rows = [(f"{name}: row {k}", row) for k, row in enumerate(text.to_dict("records"), start=1)]
    return Sheet(name, tuple(map(str, table.columns)), rows)


def video_id(path: str) -> str:
    """Return the name of a video: its path without the extension, folders joined by `__`.

    It is in Unicode's composed form, whatever the form of the file name.

    >>> video_id("day 1/s03.mp4")
    'day 1__s03'
    """
    return normal(PurePosixPath(path).with_suffix("").as_posix().replace("/", "__"))


def path_fault(path: str) -> str:
    """Return why a path is not one below the root of the corpus; empty if it is."""
    parts = PurePosixPath(path).parts
    if not parts or parts == (".",):
        return "the path of the video is empty"
    if path.startswith("/") or ".." in parts or "\\" in path:
        return f"{short(path)} is no path below the corpus' root, with / between folders"
    return ""


def name_fault(video: str) -> str:
    """Return why a video cannot have this name; empty if it can.

    Files and folders of the results are named after videos.

    >>> name_fault("day 1__s03"), name_fault("..")
    ('', "the name '..' begins with a dot")
    """
    if not video or video.startswith("."):
        return f"the name {short(video)} begins with a dot" if video else "the name is empty"
    if video.startswith("="):
        return f"the name {short(video)} begins with =, like a formula of a spreadsheet"
    if re.search(r"[/\\]", video) or visible(video, keep="") != video:
        return f"the name {short(video)} holds /, \\ or a control character"
    if (size := len(video.encode("utf-8", "surrogatepass"))) > LONGEST_NAME:
        return (
            f"the name {short(video)} has {size} bytes in UTF-8; at most {LONGEST_NAME} fit into a "
            f"file name with avfusion's endings. Give a shorter name in the column `id`"
        )
    if ending := re.search(r"(\.times|\.parquet)$", video) or HALF.search(video):
        return f"the name {short(video)} ends in {ending[0]}, which avfusion uses for its files"
    return ""


def short(text: str) -> str:
    """Return a text quoted, and cut to 40 characters, for messages."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
