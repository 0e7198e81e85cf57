"""Rows of one video in a table of features, which may hold the rows of several recordings."""

import functools
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from avfusion.errors import CorpusError
from avfusion.media.feature_formats import Table, read_table
from avfusion.media.feature_forms import Form


class Part(NamedTuple):
    """The rows of one video."""

    table: Table
    of_video: bool = False  # whether the table names the video, and not its recording


class _Cells(NamedTuple):
    """The column of a table that names the recording of each row."""

    rows: dict[str, np.ndarray]  # name or path -> its rows
    named: dict[str, list[PurePosixPath]]  # file name, with and without ending -> paths


def read_part(where: Path, form: Form, video: str, recording: str, path: str) -> Part | None:
    """Read the rows of a video; return None if a table of several recordings has none of it.

    Parameters
    ----------
    where
        The file of features.
    form
        How it is read.
    video
        Name of the video.
    recording
        Name of the recording that it is a piece of; its own name if it is none.
    path
        Path of the recording below the root of the corpus.

    Raises
    ------
    CorpusError
        If the file cannot be read, no column names the recordings, or several of them match.
    """
    table = read_table(where, form.key, form.time)
    if form.video not in table.frame.columns:
        if form.shared or "video" in form.stated:
            raise CorpusError(
                f"{where}: no column {form.video!r} names the recording of each row; it has "
                f"{listed(table.frame)}. Set `video` of its encoder to the column, or write "
                f"{{video}} into its `path` for a file per video."
            )
        return Part(table)
    cells = _cells(table, form.video)
    if not form.shared and len(cells.rows) < 2:
        return Part(table)
    stem = PurePosixPath(path).stem
    names = ((video, video, True), (recording, recording, False), (path, stem, False))
    cell, of_video = next(((name, of) for name, _, of in names if name in cells.rows), ("", False))
    for name, without, of in names:
        if not cell and (name == path or without != stem):
            cell, of_video = _likest(where, cells, PurePosixPath(name), without), of
    if not cell:
        return None
    frame = table.frame.iloc[cells.rows[cell]].reset_index(drop=True)
    return Part(Table(frame, table.single), of_video)


def listed(frame: pd.DataFrame) -> str:
    """Return the first columns of a table as text."""
    return ", ".join(frame.columns[:8]) + (", …" if len(frame.columns) > 8 else "") or "none"


@functools.lru_cache(maxsize=1)  # that of the one table that is kept
def _cells(table: Table, column: str) -> _Cells:
    texts = table.frame[column].astype(str)
    rows: dict[str, np.ndarray] = {}
    named: dict[str, list[PurePosixPath]] = {}
    for text, places in texts.groupby(texts, sort=False).indices.items():
        path = PurePosixPath(str(text).strip().strip("'\"").replace("\\", "/"))
        cell = path.as_posix()
        if cell in rows:  # with other quotes
            rows[cell] = np.sort(np.append(rows[cell], places))
            continue
        rows[cell] = places
        for name in {path.name, path.stem} - {""}:
            named.setdefault(name, []).append(path)
    return _Cells(rows, named)


def _likest(where: Path, cells: _Cells, path: PurePosixPath, stem: str) -> str:
    """Return the cell that is most like a path, or "" if none has its stem.

    More common folders, counted from the file, count first; then an equal name, with its ending.
    """

    def likeness(cell: PurePosixPath) -> tuple[int, int]:
        folders = zip(cell.parts[-2::-1], path.parts[-2::-1], strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], folders))
        return common, 2 * (cell.name == path.name) + (cell.name == stem)

    alike = cells.named.get(stem, [])
    most = max(map(likeness, alike), default=None)
    likest = [cell for cell in alike if likeness(cell) == most]
    if len(likest) > 1:
        raise CorpusError(
            f"{where}: {len(likest)} recordings can be {path}: {', '.join(map(str, likest[:3]))}. "
            f"Name each recording by its path below the root of the corpus."
        )
    return likest[0].as_posix() if likest else ""
