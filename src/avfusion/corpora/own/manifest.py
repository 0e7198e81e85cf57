"""Read the manifest of your own recordings: one row per video, or per sound without pictures."""

from pathlib import Path
from typing import get_args

from avfusion.config.sections import Rule
from avfusion.corpora.formats.spelling import normal, on_disk
from avfusion.corpora.formats.table import Sheet, name_fault, path_fault, read_sheet, video_id
from avfusion.schemas import PARTITIONS

HINT = "docs/tutorials/own-clips.md describes the manifest."
ALIASES = {"dev": "validation", "devel": "validation", "val": "validation", "valid": "validation"}
PATHS = ("video", "ratings", "sound", "transcript")
"""Columns that hold paths, besides `ratings_<target>`."""


def read_manifest(root: Path, name: str, targets: tuple[str, ...]) -> Sheet:
    """Read a manifest; rows that cannot be used are faults.

    Parameters
    ----------
    root
        Folder of the recordings.
    name
        Path of the manifest below it.
    targets
        The rated dimensions.

    Raises
    ------
    CorpusError
        If the file cannot be read or lacks a column.
    """
    sheet = read_sheet(root / name, name, ("subject",), HINT)
    if not {"video", "sound"} & set(sheet.columns):
        read_sheet(root / name, name, ("video",), HINT)  # raises
    if not {"ratings", *(f"ratings_{target}" for target in targets)} & set(sheet.columns):
        sheet.faults.append(f"{name}:1: no column 'ratings'. {HINT}")
    kept = []
    for where, cells in sheet.rows:
        row, fault = spelt(root, cells)
        part = row.get("partition", "train").lower()
        row["partition"] = ALIASES.get(part, part)
        fault = path_fault(row["video"]) or fault or name_fault(row_id(row))
        if not fault and row["partition"] not in PARTITIONS:
            fault = f"partition is {part!r}; expected one of {', '.join(PARTITIONS)}"
        fault = fault or _fault(row, targets)
        if fault:
            sheet.faults.append(f"{where}: {fault}")
            sheet.refused.append(row["video"])
        else:
            kept.append((where, row))
    sheet.rows = kept
    return sheet


def spelt(root: Path, cells: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return a row with names in Unicode's composed form and paths as they are on disk.

    A row without a video is of its sound. The second result is why a path is ambiguous, or "".
    """
    row, faults = {name: normal(cell) for name, cell in cells.items()}, []
    if not row.get("video"):
        row["video"] = row.get("sound", "")
    for name, cell in row.items():
        if (name in PATHS or name.startswith("ratings_")) and not path_fault(cell):
            row[name], fault = on_disk(root, cell)
            faults.append(fault)
    return row, next(filter(None, faults), "")


def row_id(row: dict[str, str]) -> str:
    """Return the name of a row's video."""
    return row.get("id") or video_id(row["video"])


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
