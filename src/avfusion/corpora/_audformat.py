"""audformat databases in and out: db.yaml beside `db.<table>.csv` or `.parquet`.

Form: audformat's, audeering.github.io/audformat. Files are the index, alone or with start and end;
columns refer to schemes. Pickled tables are refused, for a pickle can run code.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from avfusion.corpora._held import Span, held
from avfusion.corpora._sheet import Sheet, path_fault, video_id
from avfusion.errors import CorpusError
from avfusion.yamls import read_mapping

PARTS = {"train": "train", "dev": "validation", "validation": "validation", "test": "test"}
SUBJECT, PARTITION = ("subject", "speaker"), ("partition", "split")


@dataclass
class Database:
    """Rows of files as a manifest's, gold, and what cannot be read."""

    sheet: Sheet
    gold: pd.DataFrame
    faults: list[str] = field(default_factory=list)


def read_database(folder: Path, targets: tuple[str, ...], hz: float) -> Database:
    """Files with subject and partition, and the targets over time, of the database in `folder`.

    A rating of a segment holds over it; in a database that avf wrote, it is that of its start.
    """
    if not (folder / "db.yaml").is_file():
        raise CorpusError(f"{folder / 'db.yaml'}: no such file; an audformat database has one.")
    header = read_mapping(folder / "db.yaml")
    tables = {name: _table(folder, name) for name in header.get("tables") or {}}
    files: dict[str, dict[str, str]] = {}
    parts: dict[str, list[pd.DataFrame]] = {}
    faults: list[str] = []
    for name, table in tables.items():
        own = header["tables"][name]
        split = ((header.get("splits") or {}).get(own.get("split_id")) or {}).get("type", "")
        renamed = {c: (v or {}).get("scheme_id") for c, v in (own.get("columns") or {}).items()}
        for file in table["file"].unique():
            files.setdefault(file, {})
            if split in PARTS:
                files[file]["partition"] = PARTS[split]
        for column, scheme in renamed.items():
            if column not in table.columns:
                raise CorpusError(f"{folder}: db.yaml says {name}.{column}; its file has none.")
            if column in targets or scheme in targets:
                target = column if column in targets else scheme
                rated = table.rename(columns={column: "value"})
                for file, rows in rated[["file", "start_s", "end_s", "value"]].groupby("file"):
                    parts.setdefault(file, []).append(rows.assign(target=target))
            elif column in (*SUBJECT, *PARTITION, "video"):
                key = {**dict.fromkeys(SUBJECT, "subject"), "video": "id"}.get(column, "partition")
                given = table[table[column].notna()]
                for file, value in zip(given["file"], given[column].astype(str), strict=True):
                    files[file][key] = PARTS.get(value, value) if key == "partition" else value
    sheet = _sheet(files)
    at_start = (header.get("avfusion") or {}).get("segments") == "instants"
    ids = {row["video"]: row.get("id") or video_id(row["video"]) for _, row in sheet.rows}
    golds = []
    for file, rated in parts.items():
        rows = pd.concat(rated, ignore_index=True)
        if file not in ids:
            continue
        open_ended = rows["end_s"].isna()
        if open_ended.any() and not at_start:
            faults.append(f"{file}: a rating without start or end; give segments of it")
            rows = rows[~open_ended]
        one = _instants(rows) if at_start else _held(rows, hz)
        golds.append(one.reindex(columns=["time_s", *targets]).assign(video=ids[file]))
    blank = pd.DataFrame({name: [] for name in ("video", "time_s", *targets)})
    gold = pd.concat(golds, ignore_index=True)[list(blank)] if golds else blank
    return Database(sheet, gold, faults)


def _sheet(files: dict[str, dict[str, str]]) -> Sheet:
    given = bool(files) and all(own.get("partition") in PARTS.values() for own in files.values())
    columns = ("video", "subject", *(["partition"] if given else []))
    sheet = Sheet("db.yaml", columns, [])
    for file, own in sorted(files.items()):
        if wrong := path_fault(file):
            sheet.faults.append(f"db.yaml: {wrong}")
        elif not own.get("subject"):
            sheet.faults.append(
                f"db.yaml: {file}: no column 'subject' or 'speaker' names who it is"
            )
        else:
            sheet.rows.append((f"db.yaml: {file}", {"video": file, **own}))
    return sheet


def _table(folder: Path, name: str) -> pd.DataFrame:
    """A table with `file, start_s, end_s` (NaN where it has none) and its columns."""
    paths = [folder / f"db.{name}{ending}" for ending in (".csv", ".parquet")]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise CorpusError(
            f"{paths[0]}: no such file, nor as .parquet. Save the table {name!r} as CSV or Parquet "
            "(a .pkl is not read: a pickle can run code)."
        )
    try:
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        table = table if "file" in table.columns else table.reset_index()
        for end in ("start", "end"):
            times = (
                table[end]
                if end in table.columns
                else pd.Series(pd.NaT, table.index, dtype="timedelta64[ns]")
            )
            table[f"{end}_s"] = pd.to_timedelta(times).dt.total_seconds()
    except (TypeError, ValueError) as error:
        raise CorpusError(f"{path}: not a table of audformat ({error}).") from None
    if "file" not in table.columns:
        raise CorpusError(f"{path}:1: no column 'file'. Found: {', '.join(table.columns)}.")
    return table


def _instants(rows: pd.DataFrame) -> pd.DataFrame:
    wide = rows.pivot_table(index="start_s", columns="target", values="value", dropna=False)
    wide = wide.rename_axis(index="time_s", columns=None).reset_index()
    return wide.assign(time_s=wide["time_s"].round(6))


def _held(rows: pd.DataFrame, hz: float) -> pd.DataFrame:
    named = rows[["start_s", "end_s", "value"]].astype(float)
    spans = {
        target: [Span(*row) for row in named.loc[own.index].itertuples(index=False)]
        for target, own in rows.groupby("target")
    }
    return held(spans, hz)
