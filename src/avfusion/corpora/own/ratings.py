"""Read the ratings of one video: CSV, Parquet, ELAN or ARFF (AVEC)."""

from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.corpora.formats.elan import read_eaf
from avfusion.corpora.formats.ratings import Ratings, no_ratings, read_arff
from avfusion.corpora.formats.table import read_sheet
from avfusion.errors import CorpusError

TABLES, ENDINGS = (".csv", ".tsv", ".parquet"), ".csv, .tsv, .parquet, .eaf or .arff"

HINT = (
    "A rating file has one column per target and `time_s`, the time in seconds from the start of "
    "the video."
)


def read_ratings(path: Path, name: str, targets: tuple[str, ...], hz: float) -> Ratings:
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

    Returns
    -------
    Ratings
        Instants (N,) and values (N, K); a file that cannot be read is a fault.
    """
    ending = path.suffix.lower()
    if not path.is_file():
        return no_ratings(f"{name}:1: no such file")
    if ending in TABLES:
        return _table(path, name, targets)
    if ending == ".eaf":
        return read_eaf(path.read_bytes(), name, targets, hz)
    if ending == ".arff" and len(targets) == 1:
        ratings = read_arff(path.read_bytes(), name)
        ratings.columns = targets
        return ratings
    if ending == ".arff":
        columns = ", ".join(f"ratings_{target}" for target in targets)
        return no_ratings(f"{name}:1: an ARFF file holds one target; name them under {columns}")
    return no_ratings(f"{name}:1: unknown file type; expected {ENDINGS}")


def _table(path: Path, name: str, targets: tuple[str, ...]) -> Ratings:
    try:
        sheet = read_sheet(path, name, ("time_s", *targets), HINT)
    except CorpusError as error:
        text = str(error).removeprefix(str(path))
        return no_ratings(text if text.startswith(name) else f"{name}:1: {text.lstrip(': ')}")
    rows = []
    for where, row in sheet.rows:
        cells = [sheet.number(where, row, column) for column in ("time_s", *targets)]
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


def joined(parts: list[Ratings], targets: tuple[str, ...]) -> pd.DataFrame:
    """Return `time_s` and all targets of one video, NaN where a target is unrated.

    Repeated instants of a single file are kept, so that the check of times can report the video.
    """
    if len(parts) == 1:
        table = pd.DataFrame(parts[0].values, columns=list(parts[0].columns))
        table.insert(0, "time_s", np.round(parts[0].time_s, 6))
    else:
        tables = [
            pd.DataFrame(part.values, index=np.round(part.time_s, 6), columns=list(part.columns))
            for part in parts
        ]
        tables = [part[~part.index.duplicated()] for part in tables]
        table = pd.concat(tables, axis=1).sort_index().rename_axis("time_s").reset_index()
    return table.reindex(columns=["time_s", *targets])
