"""Read the manifest of your own recordings: one row per video, sound, or set of feature files."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from avfusion.config.sections import Rule
from avfusion.corpora.formats.spelling import normal, on_disk
from avfusion.corpora.formats.table import (
    NUMBER,
    Sheet,
    name_fault,
    path_fault,
    read_sheet,
    video_id,
)
from avfusion.corpora.own.features import feature_columns
from avfusion.registry import near
from avfusion.schemas import PARTITIONS

HINT = "docs/tutorials/own-clips.md describes the manifest."
ALIASES = {"dev": "validation", "devel": "validation", "val": "validation", "valid": "validation"}
PATHS = ("video", "ratings", "sound", "transcript")
"""Columns that hold paths, besides `ratings_<target>`."""
OTHERS = ("id", "subject", "partition", "label", "face", "voice", "duration_s")
"""Columns that hold no paths."""


def unknown_columns(
    columns: Iterable[str], targets: Iterable[str], features: Iterable[str]
) -> list[str]:
    """Return the columns of a manifest that nothing reads, with the name that may be meant.

    >>> unknown_columns(["video", "subject", "partitoin", "age"], (), ())
    ["'partitoin'. Did you mean 'partition'?", "'age'."]
    """
    ratings = [f"ratings_{target}" for target in targets]
    known = [*PATHS, *OTHERS, *ratings, *feature_columns(features)]
    return [f"{name!r}.{near(name, known)}" for name in columns if name not in known]


def read_manifest(
    root: Path,
    name: str,
    targets: tuple[str, ...],
    classes: tuple[str, ...] = (),
    features: Mapping[str, dict[str, Any]] | None = None,
) -> Sheet:
    """Read a manifest; rows that cannot be used are faults.

    Parameters
    ----------
    root
        Folder of the recordings.
    name
        Path of the manifest below it.
    targets
        The rated dimensions.
    classes
        The classes, if videos have one each.
    features
        Encoder -> options, of the study's encoders that read files of features.

    Raises
    ------
    CorpusError
        If the file cannot be read or lacks a column.
    """
    sheet = read_sheet(root / name, name, ("subject",), HINT)
    columns = feature_columns(features or ())
    present, patterns = set(sheet.columns), any(f.get("path") for f in (features or {}).values())
    if not {"video", "sound", *columns} & present and not ("id" in present and patterns):
        read_sheet(root / name, name, ("video",), HINT)  # raises
    if targets and not {"ratings", *(f"ratings_{target}" for target in targets)} & present:
        sheet.faults.append(f"{name}:1: no column 'ratings'. {HINT}")
    if classes and "label" not in present:
        sheet.faults.append(f"{name}:1: no column 'label' with the class of each video. {HINT}")
    kept = []
    for where, cells in sheet.rows:
        row, fault = spelt(root, cells, columns)
        part = row.get("partition", "train").lower()
        row["partition"] = ALIASES.get(part, part)
        files = [row[column] for column in columns if row.get(column)]
        if not row["video"] and files and not row.get("id"):
            row["id"] = video_id(files[0])
        bare = not row["video"] and row.get("id") and (files or patterns)
        fault = fault or next(filter(None, map(path_fault, files)), "") or _length_fault(row)
        fault = ("" if bare else path_fault(row["video"])) or fault or name_fault(row_id(row))
        if not fault and row["partition"] not in PARTITIONS:
            fault = f"partition is {part!r}; expected one of {', '.join(PARTITIONS)}"
        fault = fault or _fault(row, targets)
        if fault:
            sheet.faults.append(f"{where}: {fault}")
            sheet.refused += [path for path in (row["video"], row.get("sound")) if path]
        else:
            kept.append((where, row))
    sheet.rows = kept
    return sheet


def spelt(
    root: Path, cells: dict[str, str], columns: tuple[str, ...] = ()
) -> tuple[dict[str, str], str]:
    """Return a row with names in Unicode's composed form and paths as they are on disk.

    A row without a video is of its sound, and one without a sound of its features; `columns` name
    them. The second result is why a path is ambiguous, or "".
    """
    row, faults = {name: normal(cell) for name, cell in cells.items()}, []
    if not row.get("video"):
        row["video"] = row.get("sound", "")
    for name, cell in row.items():
        path = name in (*PATHS, *columns) or name.startswith("ratings_")
        if path and not path_fault(cell):
            row[name], fault = on_disk(root, cell)
            faults.append(fault)
    return row, next(filter(None, faults), "")


def row_id(row: dict[str, str]) -> str:
    """Return the name of a row's video."""
    return row.get("id") or video_id(row["video"])


def _length_fault(row: dict[str, str]) -> str:
    """Return why the cell `duration_s` is no length; "" if it is one, or blank."""
    text = row.get("duration_s", "")
    if not text or (NUMBER.fullmatch(text) and 0 < float(text) < float("inf")):
        return ""
    return f"duration_s is {text!r}; expected seconds, such as 12.5"


def _fault(row: dict[str, str], targets: tuple[str, ...]) -> str:
    """Return a fault of the row's subject, face or other files than the video, else ""."""
    if not row["subject"]:
        return "no subject; name the person, so that no person is in two partitions"
    per_target = [row.get(f"ratings_{target}", "") for target in targets]
    if row.get("ratings") and any(per_target):
        return "ratings in both `ratings` and `ratings_<target>`; keep one of them"
    if row.get("face") and row["face"] not in get_args(Rule):
        return f"face is {row['face']!r}; expected one of {', '.join(get_args(Rule))}"
    others = [row.get(name) for name in ("ratings", "sound", "transcript")]
    faults = [path_fault(path) for path in (*others, *per_target) if path]
    return next(filter(None, faults), "")
