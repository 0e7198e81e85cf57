"""Open an MLflow store so that one process at a time writes, and a dead one fails soon."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from avfusion.config.load import study_id
from avfusion.io.atomic import lock_file
from avfusion.layout import Layout
from avfusion.tracking.addresses import shown, without_secrets
from avfusion.tracking.moved import follow
from avfusion.tracking.place import FILE, store_folder
from avfusion.tracking.store import Store

PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # by default, a call to a dead server takes 4 minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

SQLITE = "sqlite:///"


def address(store: str | None, layout: Layout) -> tuple[str, str]:
    """Return the URI of a store, and how it is shown: scheme, host and port.

    Parameters
    ----------
    store
        Tracking URI; by default $MLFLOW_TRACKING_URI, else mlflow.db in `store_folder`.
    layout
        Paths of the results.
    """
    file = store_folder(layout) / FILE
    local = _local(layout)
    uri = store or os.environ.get("MLFLOW_TRACKING_URI") or local
    here = f"{SQLITE}{file}"
    return uri, here if uri == local else shown(uri)


@contextmanager
def opened(uri: str, corpus: str, layout: Layout) -> Iterator[Store]:
    """Open the records of a study; other processes that write wait until the block ends."""
    with _quiet(), _locked((store_folder(layout) / FILE).with_suffix(".lock")):
        _check_sqlite(uri)
        if uri == _local(layout):
            follow((store_folder(layout) / FILE).resolve())
        yield Store(uri, corpus, study_id(layout), layout)


def follow_move(layout: Layout) -> int:
    """Rewrite addresses of artifacts in the store of a results folder that has moved.

    Returns
    -------
    int
        Number of addresses that changed; 0 if there is no local store.
    """
    path = (store_folder(layout) / FILE).resolve()
    if not path.is_file():
        return 0
    with _locked(path.with_suffix(".lock")):
        return follow(path)


def short(error: BaseException, uri: str) -> str:
    """Return the kind and the first line of an error of MLflow, without secrets of the store."""
    return without_secrets(f"{type(error).__name__}: {error}", uri).splitlines()[0][:240]


def _local(layout: Layout) -> str:
    """Return the URI of the study's own store."""
    return f"{SQLITE}{(store_folder(layout) / FILE).resolve()}"


def _check_sqlite(uri: str) -> None:
    """Fail at once if SQLite cannot open its file; MLflow would try for 100 s."""
    if uri.startswith(SQLITE):
        with closing(sqlite3.connect(uri.removeprefix(SQLITE))) as base:
            base.execute("PRAGMA schema_version")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, so that one process at a time writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Set short retries and no telemetry, unless the environment sets them."""
    added = {name: value for name, value in PATIENCE.items() if name not in os.environ}
    os.environ.update(added)
    for name in ("alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
