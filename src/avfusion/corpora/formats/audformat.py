"""Read audformat databases: db.yaml next to `db.<table>.csv` or `.parquet`.

Format: audeering.github.io/audformat. The index is the file, optionally with start and end; columns
refer to schemes. Pickled tables are refused because a pickle can run code.
"""

from dataclasses import dataclass, field
from os.path import isfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.corpora.formats.spans import Span, beyond, held, overlaps
from avfusion.corpora.formats.spelling import normal
from avfusion.corpora.formats.table import BLANK, Sheet, path_fault, read_sheet, short, video_id
from avfusion.errors import CorpusError
from avfusion.io.yaml import read_mapping

PARTS = {"train": "train", "dev": "validation", "validation": "validation", "test": "test"}
SUBJECT, PARTITION = ("subject", "speaker"), ("partition", "split")
HINT = "Save the table with audformat as CSV or Parquet."


@dataclass
class Database:
    """A database.

    Parameters
    ----------
    sheet
        One row per file, with the columns of a manifest.
    gold
        Gold standard with `video`, `time_s` in seconds and the targets.
    faults
        Unreadable lines and cells, with file and line.
    """

    sheet: Sheet
    gold: pd.DataFrame
    faults: list[str] = field(default_factory=list)


def read_database(folder: Path, targets: tuple[str, ...], hz: float) -> Database:
    """Read a database.

    The rating of a segment holds over the segment. In a database written by `avf export`, it is the
    rating at the start of the segment.

    Parameters
    ----------
    folder
        Folder with db.yaml.
    targets
        Columns or schemes that are ratings.
    hz
        Instants per second at which ratings of segments are sampled.

    Raises
    ------
    CorpusError
        If a file is missing or cannot be read. Single unreadable rows are faults instead.
    """
    if not (folder / "db.yaml").is_file():
        raise CorpusError(
            f"{folder / 'db.yaml'}: no such file, which every audformat database has."
        )
    header = read_mapping(folder / "db.yaml")
    files: dict[str, dict[str, str]] = {}
    rated: list[pd.DataFrame] = []
    faults: list[str] = []
    splits = _mapping(header.get("splits"), "splits")
    for name, value in _mapping(header.get("tables"), "tables").items():
        entry = _mapping(value, f"tables.{name}")
        table = _table(folder, str(name), faults)
        split = _mapping(splits.get(str(entry.get("split_id"))), "splits").get("type")
        for file in table["file"].unique():
            files.setdefault(file, {})
            if split in [*PARTS]:
                files[file]["partition"] = PARTS[split]
        for column, kind in _mapping(entry.get("columns"), f"tables.{name}.columns").items():
            if column not in table.columns:
                raise CorpusError(f"{folder}: db.yaml lists {name}.{column}; its file has none.")
            scheme = _mapping(kind, f"tables.{name}.columns.{column}").get("scheme_id")
            if column in targets or scheme in targets:
                target = column if column in targets else scheme
                rated.append(_rated(table, column, faults).assign(target=target))
            else:
                _describe(table, column, files)
    sheet = _sheet(files)
    at_start = _mapping(header.get("avfusion"), "avfusion").get("segments") == "instants"
    ids = {row["video"]: row.get("id") or video_id(row["video"]) for _, row in sheet.rows}
    golds = []
    for file, rows in pd.concat(rated).groupby("file") if rated else ():
        if file in ids:  # others are faults of the sheet
            one = _instants(rows, faults) if at_start else _held(rows, hz, faults)
            golds.append(one.reindex(columns=["time_s", *targets]).assign(video=ids[file]))
    blank = pd.DataFrame({name: [] for name in ("video", "time_s", *targets)})
    gold = pd.concat(golds, ignore_index=True)[list(blank)] if golds else blank
    return Database(sheet, gold, faults)


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    """Return a mapping of db.yaml, empty if it is missing; refuse anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        message = f"{where} is {short(str(value))}, where audformat has `key: value` lines"
        raise CorpusError(f"db.yaml: {message}. Save the database with audformat again.")
    return value


def _describe(table: pd.DataFrame, column: str, files: dict[str, dict[str, str]]) -> None:
    """Fill in the subject, partition or id of each file if the column holds them."""
    if column not in (*SUBJECT, *PARTITION, "video"):
        return
    key = {**dict.fromkeys(SUBJECT, "subject"), "video": "id"}.get(column, "partition")
    given = table[~table[column].str.lower().isin(BLANK)]
    for file, cell in zip(given["file"], given[column], strict=True):
        files[file][key] = PARTS.get(cell, cell) if key == "partition" else cell


def _sheet(files: dict[str, dict[str, str]]) -> Sheet:
    given = bool(files) and all(row.get("partition") in PARTS.values() for row in files.values())
    columns = ("video", "subject", *(["partition"] if given else []))
    sheet = Sheet("db.yaml", columns, [])
    for file, row in sorted(files.items()):
        if fault := path_fault(file):
            sheet.faults.append(f"db.yaml: {fault}")
        elif not row.get("subject"):
            sheet.faults.append(
                f"db.yaml: {file}: no column 'subject' or 'speaker' names who it is"
            )
        else:
            sheet.rows.append((f"db.yaml: {file}", {"video": file, **row}))
    return sheet


def _table(folder: Path, name: str, faults: list[str]) -> pd.DataFrame:
    """Return cells as text, with `where` (file:line), `start_s` and `end_s` (NaN if missing).

    A row with an unreadable time is a fault and is left out.
    """
    paths = [folder / f"db.{name}{ending}" for ending in (".csv", ".parquet")]
    path = next((path for path in paths if isfile(path)), None)
    if path is None:
        raise CorpusError(
            f"{paths[0]}: no such file, nor as .parquet. Save the table {name!r} as CSV or Parquet "
            "(a .pkl is not read: a pickle can run code)."
        )
    sheet = read_sheet(path, path.name, ("file",), HINT)
    faults += sheet.faults
    table = pd.DataFrame([row for _, row in sheet.rows], columns=list(sheet.columns), dtype=str)
    table["file"] = table["file"].map(normal)
    table["where"] = [where for where, _ in sheet.rows]
    kept = pd.Series(True, table.index)
    for end in ("start", "end"):
        text = table.get(end, pd.Series("", table.index)).replace("NaT", "")
        given = ~text.str.lower().isin(BLANK)
        # A bare number would be read as nanoseconds.
        timed = pd.to_timedelta(text.where(text.str.contains("[a-z:]", na=False)), errors="coerce")
        table[f"{end}_s"] = timed.dt.total_seconds()
        unread = given & timed.isna()
        faults += [
            f"{where}: {end} is {short(cell)}, which is no time such as '0 days 00:00:01.5'"
            for where, cell in zip(table["where"][unread], text[unread], strict=True)
        ]
        kept &= ~unread
    return table[kept]


def _rated(table: pd.DataFrame, column: str, faults: list[str]) -> pd.DataFrame:
    """Return `where, file, start_s, end_s, value`; a value that is no number is a fault."""
    sheet = Sheet("", (column,), [])
    rows = zip(table["where"], table[column], strict=True)
    values = [sheet.number(where, {column: cell}, column) for where, cell in rows]
    faults += sheet.faults
    named = table[["where", "file", "start_s", "end_s"]].assign(value=values)
    kept = np.array([value is not None for value in values], bool)
    return named[kept].astype({"value": float})


def _instants(rows: pd.DataFrame, faults: list[str]) -> pd.DataFrame:
    """Return each rating at its start; a second rating of an instant is a fault."""
    rows = rows.assign(start_s=rows["start_s"].fillna(0.0).round(6))
    twice = rows.duplicated(["start_s", "target"])
    faults += [f"{w}: a second rating of that instant" for w in rows["where"][twice]]
    wide = rows[~twice].pivot(index="start_s", columns="target", values="value")
    return wide.rename_axis(index="time_s", columns=None).reset_index()


def _held(rows: pd.DataFrame, hz: float, faults: list[str]) -> pd.DataFrame:
    """Return each rating over its segment; one without ends, or that overlaps, is a fault."""
    rows = rows.drop_duplicates(["start_s", "end_s", "target", "value"])  # in two tables
    spans: dict[str, list[Span]] = {}
    for row in rows.itertuples():
        span = Span(row.start_s, row.end_s, row.value)
        if not 0 <= span.start_s < span.end_s:
            faults.append(f"{row.where}: a rating without start or end; give segments of it")
        elif beyond(span):
            faults.append(f"{row.where}: {beyond(span)}")
        else:
            spans.setdefault(row.target, []).append(span)
    for target, parts in spans.items():
        place = rows["where"].iloc[0].partition(":")[0]
        file = rows["file"].iloc[0]
        faults += [
            f"{place}: {file}: two ratings of {target} at {b.start_s:g} s"
            for _, b in overlaps(parts)
        ]
    return held(spans, hz)
