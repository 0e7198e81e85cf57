"""Find the artifacts of a local MLflow store again after its folder was moved or copied.

MLflow keeps the address of every artifact as an absolute path. The artifacts of a local store lie
in `mlartifacts` next to its file, so an address follows from where the file is.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

FOLDER = "mlartifacts"
EXPERIMENTS = "experiments"
COLUMNS = {
    EXPERIMENTS: ("artifact_location",),
    "runs": ("artifact_uri",),
    "model_versions": ("source", "storage_location"),
    "logged_models": ("artifact_location",),
}
"""Table of MLflow's database -> columns with addresses of artifacts."""


def follow(path: Path) -> int:
    """Rewrite addresses in a study's own store that has moved, so that artifacts are found again.

    An address changes only to where its file or folder is. The folder for new artifacts of an
    experiment changes too if the old one is gone. Call it before MLflow opens the store.

    Parameters
    ----------
    path
        SQLite file of the study's own store. Stores that others share keep their addresses.

    Returns
    -------
    int
        Number of addresses that changed.
    """
    if not path.is_file():
        return 0
    here, changed = (path.resolve().parent / FOLDER).as_uri(), 0
    with closing(sqlite3.connect(path)) as base, base:
        for table, columns in COLUMNS.items():
            present = {row[1] for row in base.execute(f"PRAGMA table_info({table})")}
            for column in present.intersection(columns):
                changed += _follow_column(base, table, column, here)
    if changed:
        log.info("%s: the store has moved; %d addresses of artifacts now follow it", path, changed)
    return changed


def gone(address: str | None) -> bool:
    """Return whether an address is a path of this machine at which nothing is."""
    return address is not None and address.startswith("file:") and not _local(address).exists()


def _follow_column(base: sqlite3.Connection, table: str, column: str, here: str) -> int:
    """Rewrite one column; the names are those of COLUMNS."""
    listed = f"SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE ?"
    moves = []
    for (address,) in base.execute(listed, (f"file:%/{FOLDER}/%",)).fetchall():
        target = f"{here}/{address.rpartition(f'/{FOLDER}/')[2]}"
        begun = table == EXPERIMENTS and gone(address)  # its folder may hold nothing yet
        if address != target and (begun or not gone(target)):
            moves.append((target, address))
    base.executemany(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", moves)
    return len(moves)


def _local(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))
