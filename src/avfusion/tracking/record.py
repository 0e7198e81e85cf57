"""Record finished runs in MLflow from their files; no other job depends on it.

Training does not import MLflow. One process at a time writes. If the store is down, a warning names
the command that records later. Settings, numbers, tables, figures and weights are recorded; video
frames and face crops never are. See study.py for the content and store.py for its consistency.
"""

import fcntl
import json
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from avfusion.config.jobs import RecordSettings
from avfusion.config.load import study_id
from avfusion.errors import AvfError
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.tracking.store import Store
from avfusion.tracking.study import record_study

log = logging.getLogger(__name__)

PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # by default, a call to a dead server takes 4 minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def record_corpus(
    corpus: str, settings: RecordSettings | None, layout: Layout, store: str | None = None
) -> int:
    """Record the runs of a corpus, and write the result to results/mlflow.<corpus>.json.

    Parameters
    ----------
    corpus
        Name of the corpus.
    settings
        Runs of its fusions and seeds are current; None if all runs are.
    layout
        Paths of the results.
    store
        Tracking URI; by default $MLFLOW_TRACKING_URI, else results/mlflow.db.

    Returns
    -------
    int
        Always 0, because a study must not fail if its records do.
    """
    local = f"sqlite:///{(layout.results / 'mlflow.db').resolve()}"
    uri = store or os.environ.get("MLFLOW_TRACKING_URI") or local
    shown = f"sqlite:///{layout.results / 'mlflow.db'}" if uri == local else _without_password(uri)
    result: dict[str, Any] = {"corpus": corpus, "store": shown}
    try:
        with _quiet(), _locked(layout.results / "mlflow.lock"):
            _check_sqlite(uri)
            records = Store(uri, corpus, study_id(layout), layout)
            result |= {"recorded": True, **record_study(records, settings, layout)}
        log.info("%s: %d runs in %s, %d of them new", corpus, result["runs"], shown, result["new"])
    except AvfError as error:  # nothing to record, or results that are damaged
        result |= {"recorded": False, "reason": str(error)[:240]}
        _count(layout.results / f"mlflow.{corpus}.failures")
        log.warning("%s: not recorded: %s", corpus, error)
    except Exception as error:  # MLflow raises many kinds, and the study is complete without it
        reason = _without_password(f"{type(error).__name__}: {error}".splitlines()[0])[:240]
        result |= {"recorded": False, "reason": reason}
        _count(layout.results / f"mlflow.{corpus}.failures")
        log.warning(
            "%s: not recorded in %s (%s). The study is complete without it. When the store is "
            "back: avf record %s --results %s%s",
            *(corpus, shown, reason, corpus, layout.results),
            f" --store {shown}" if store else "",
        )
    write_text(layout.results / f"mlflow.{corpus}.json", json.dumps(result) + "\n")
    return 0


def _count(path: Path) -> None:
    """Count failed attempts; the workflow tries again if the count has changed.

    The count has its own file, because Snakemake removes the other one before it tries.
    """
    before = int(path.read_text()) if path.is_file() else 0
    write_text(path, f"{before + 1}\n")


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)


def _check_sqlite(uri: str) -> None:
    """Fail at once if SQLite cannot open its file; MLflow would try for 100 s."""
    if uri.startswith("sqlite:///"):
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as base:
            base.execute("PRAGMA schema_version")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, so that one process at a time writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
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
