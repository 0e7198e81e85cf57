"""Shows finished runs in MLflow, from the files they wrote; nothing in a study waits for it.

Nothing that trains imports MLflow. One process at a time writes; a store that is down is told, and
the same command, or the next study, records later. record_study.py says what is shown, and
record_store.py how it stays whole. Settings, numbers, tables, figures and weights are recorded; no
frame and no face ever is.
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

from avfusion.config.load import study_id
from avfusion.io.atomic import write_text
from avfusion.layout import Layout
from avfusion.tracking.store import Store
from avfusion.tracking.study import record_study

log = logging.getLogger(__name__)


PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # by default, a dead server holds a call for 4 minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def record_corpus(
    corpus: str, layout: Layout, store: str | None, study: dict[str, Any] | None = None
) -> int:
    """Record the corpus' runs in `store`, else $MLFLOW_TRACKING_URI, else results/mlflow.db.

    study: `Study.record_settings`; its fusions and seeds are current, without it every run is.
    Always 0: a study does not fail because nobody looks on. What became of it is written to
    results/mlflow.<corpus>.json.
    """
    local = f"sqlite:///{(layout.results / 'mlflow.db').resolve()}"
    uri = store or os.environ.get("MLFLOW_TRACKING_URI") or local
    shown = f"sqlite:///{layout.results / 'mlflow.db'}" if uri == local else _without_password(uri)
    said: dict[str, Any] = {"corpus": corpus, "store": shown}
    try:
        with _quiet(), _alone(layout.results / "mlflow.lock"):
            _answers(uri)
            records = Store(uri, corpus, study_id(layout), layout)
            said |= {"recorded": True, **record_study(records, study, layout)}
        log.info("%s: %d runs in %s, %d of them new", corpus, said["runs"], shown, said["new"])
    except Exception as error:  # whatever the store's own code raises, the study is whole
        reason = _without_password(f"{type(error).__name__}: {error}".splitlines()[0])[:240]
        said |= {"recorded": False, "reason": reason}
        _count(layout.results / f"mlflow.{corpus}.failures")
        log.warning(
            "%s: not recorded in %s (%s). The study is complete without it. When the store is "
            "back: avf record %s --results %s%s",
            *(corpus, shown, reason, corpus, layout.results),
            f" --store {shown}" if store else "",
        )
    write_text(layout.results / f"mlflow.{corpus}.json", json.dumps(said) + "\n")
    return 0


def _count(path: Path) -> None:
    """One more attempt that failed: the workflow tries again where there is one that it has not
    seen. A file of its own, for Snakemake removes the other before it tries."""
    before = int(path.read_text()) if path.is_file() else 0
    write_text(path, f"{before + 1}\n")


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)


def _answers(uri: str) -> None:
    """Fails at once where SQLite cannot open its file; MLflow would try for 100 s."""
    if uri.startswith("sqlite:///"):
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as base:
            base.execute("PRAGMA schema_version")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time; the lock goes with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Short retries and no telemetry unless the user's environment says otherwise."""
    added = {name: value for name, value in PATIENCE.items() if name not in os.environ}
    os.environ.update(added)
    for name in ("alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
