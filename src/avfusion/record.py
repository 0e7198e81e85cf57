"""Shows finished runs in MLflow, from the files they wrote; nothing in a study waits for it.

A run is recorded under a key of its content, written last: what is recorded is not recorded again,
what has changed replaces its old record, and a record that a kill cut short is replaced too.
Settings, numbers, tables and figures are recorded; no frame and no face ever is.
"""

import fcntl
import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from avfusion.layout import Layout
from avfusion.provenance import code_state
from avfusion.runs import Run, content_key, finished_runs
from avfusion.whole import write_text

log = logging.getLogger(__name__)
LOG_EVERY_S = 5.0
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # by default, a dead server holds a call for 4 minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


def record_corpus(
    corpus: str, layout: Layout, store: str | None, study: dict[str, Any] | None = None
) -> int:
    """Record the corpus' runs in `store`, else $MLFLOW_TRACKING_URI, else results/mlflow.db.

    Of `study`, its `fusions` and `seeds` are current; without it every finished run is.
    Always 0: a study does not fail because nobody looks on. What became of it is written to
    results/mlflow.<corpus>.json.
    """
    local = f"sqlite:///{(layout.results / 'mlflow.db').resolve()}"
    uri = store or os.environ.get("MLFLOW_TRACKING_URI") or local
    shown = _without_password(uri)
    said: dict[str, Any] = {"corpus": corpus, "store": shown}
    try:
        with _quiet(), _alone(layout.results / "mlflow.lock"):
            _answers(uri)
            said |= {"recorded": True, **_Store(uri, corpus, layout).record(study)}
        log.info("%s: %d runs in %s, %d of them new", corpus, said["runs"], shown, said["new"])
    except Exception as error:  # whatever the store's own code raises, the study is whole
        reason = _without_password(f"{type(error).__name__}: {error}".splitlines()[0])[:240]
        said |= {"recorded": False, "reason": reason}
        log.warning(
            "%s: not recorded in %s (%s). The study is complete without it. When the store is "
            "back: avf record %s --results %s%s",
            *(corpus, shown, reason, corpus, layout.results),
            f" --store {shown}" if store else "",
        )
    stamp = layout.results / f"mlflow.{corpus}.json"
    write_text(stamp, json.dumps(said) + "\n")
    return 0


class _Store:
    """One corpus' experiment in one MLflow store."""

    def __init__(self, uri: str, corpus: str, layout: Layout) -> None:
        from mlflow import MlflowClient

        self.corpus, self.layout = corpus, layout
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        found = self.client.get_experiment_by_name(corpus)
        place = (layout.results / "mlartifacts" / corpus).resolve().as_uri()
        self.experiment = (
            found.experiment_id
            if found
            else self.client.create_experiment(corpus, None if uri.startswith("http") else place)
        )
        runs = self.client.search_runs([self.experiment], max_results=50_000)
        self.known = {run.info.run_id: run.data.tags for run in runs}

    def record(self, asked: dict[str, Any] | None) -> dict[str, int]:
        """Record what is new or changed; returns how many runs there are and how many were new."""
        runs = [run for run in finished_runs(self.corpus, self.layout) if _asked_for(run, asked)]
        pages = [*_files(self.layout.tables), *_files(self.layout.figures)]
        key = content_key(
            *(run.key().encode() for run in runs), *(page.read_bytes() for page in pages)
        )
        about = {"kind": "study", **_commit(code_state())}
        study, changed = self._start("study", key, about, None)
        new, said = 0, time.monotonic()
        for count, run in enumerate(runs, start=1):
            new += self._record(run, study)
            if time.monotonic() - said > LOG_EVERY_S:
                log.info("%s: %d of %d runs recorded", self.corpus, count, len(runs))
                said = time.monotonic()
        if changed:
            for page in pages:
                self.client.log_artifact(study, str(page), page.parent.name)
            self._close(study, key, int(time.time() * 1000))
        names = {run.name for run in runs}
        for ident, known in self.known.items():
            if known.get("kind") == "run" and known.get("mlflow.runName") not in names:
                self.client.set_tag(ident, "current", "False")
        return {"runs": len(runs), "new": new}

    def _record(self, run: Run, study: str) -> bool:
        from mlflow.entities import Metric, Param

        tags = run.tags() | _commit(run.settings if "commit" in run.settings else code_state())
        began, ended = (
            int((run.folder / name).stat().st_mtime * 1000)
            for name in ("settings.json", "traces.parquet")
        )
        key, links = run.key(), {"mlflow.parentRunId": study, "current": "True"}
        ident, changed = self._start(run.name, key, {**tags, **links}, began)
        if not changed:
            for name, value in links.items():
                self.client.set_tag(ident, name, value)
            return False
        params = [Param(name, value) for name, value in run.params().items()]
        metrics = [Metric(name, value, ended, step) for name, value, step in run.metrics()]
        for i in range(0, len(params), 100):  # MLflow's limits for one call
            self.client.log_batch(ident, params=params[i : i + 100])
        for i in range(0, len(metrics), 1000):
            self.client.log_batch(ident, metrics=metrics[i : i + 1000])
        self._close(ident, key, ended, "FAILED" if run.failed else "FINISHED")
        return True

    def _start(
        self, name: str, key: str, tags: dict[str, str], began: int | None
    ) -> tuple[str, bool]:
        """The record called `name`, and whether it is new; an unequal or unfinished one goes."""
        for ident, known in list(self.known.items()):
            if known.get("mlflow.runName") == name:
                if known.get("key") == key:
                    return ident, False
                self.client.delete_run(ident)
                del self.known[ident]
        shown = {"mlflow.runName": name, "corpus": self.corpus, **tags}
        run = self.client.create_run(self.experiment, began, tags=shown, run_name=name)
        return run.info.run_id, True

    def _close(self, ident: str, key: str, ended: int, how: str = "FINISHED") -> None:
        self.client.set_terminated(ident, how, ended)
        self.client.set_tag(ident, "key", key)  # last: without it, a record is unfinished


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file())


def _asked_for(run: Run, study: dict[str, Any] | None) -> bool:
    own = run.settings
    return study is None or (own["fusion"] in study["fusions"] and own["seed"] in study["seeds"])


def _commit(state: dict[str, Any]) -> dict[str, str]:
    """The commit that trained a run, else the one that records it, and whether files differed."""
    if not state["commit"]:
        return {}
    return {"mlflow.source.git.commit": state["commit"], "dirty": str(state.get("dirty"))}


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
