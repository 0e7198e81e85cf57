"""A study in MLflow: one record for it, one below it for each fusion and seed, the best served."""

import json
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

from avfusion.evaluation.run_scores import Run, finished_runs
from avfusion.io.stamped import content_key
from avfusion.layout import Layout
from avfusion.provenance import code_state
from avfusion.runs.files import predictions
from avfusion.tracking.card import model_card
from avfusion.tracking.model import register_best
from avfusion.tracking.store import Store, Tags, texts

log = logging.getLogger(__name__)


LOG_EVERY_S = 5.0


FORM = b"2"
"""Raise it when records are to be written anew because they hold something else."""


NOTE = 5000  # characters; MLflow's limit for a tag is 8000


def record_study(store: Store, asked: dict[str, Any] | None, layout: Layout) -> dict[str, Any]:
    """Record what is new or changed; returns what the stamp says.

    asked: `Study.record_settings`; of its fusions and seeds, runs are current.
    """
    asked = asked or {}
    how = {"draws": 10_000, "alpha": 0.05, "seed": 0, **asked.get("statistics", {})}
    runs = [run for run in finished_runs(store.corpus, layout) if _asked_for(run, asked)]
    pages = [*_files(layout.tables), *_files(layout.figures)]
    drawn = json.dumps(how, sort_keys=True).encode()
    keys = [content_key(FORM, run.key().encode(), drawn).encode() for run in runs]
    key = content_key(FORM, *keys, *(page.read_bytes() for page in pages))
    study, changed = store.start("study", key, key, _study_tags(runs, layout))
    card = json.loads(layout.card(store.corpus).read_text())
    new, said = 0, time.monotonic()
    for count, (run, own) in enumerate(zip(runs, keys, strict=True), start=1):
        new += _record(run, store, own.decode(), study, (card, how))
        if time.monotonic() - said > LOG_EVERY_S:
            log.info("%s: %d of %d runs recorded", store.corpus, count, len(runs))
            said = time.monotonic()
    _adopt(store, study, {run.name for run in runs})
    if changed:
        store.files(study, pages)
    described = partial(_card, about=(card, how))
    model = register_best(store, runs, asked.get("headline", "pooled"), described)
    if changed:
        store.close(study, key, {}, _table(store.corpus, layout), int(time.time() * 1000))
    return {"runs": len(runs), "new": new, "model": model}


def _record(
    run: Run, store: Store, key: str, study: str, about: tuple[dict[str, Any], dict[str, Any]]
) -> bool:
    """Show one run; False if it was shown already."""
    began, ended = (
        int((run.folder / name).stat().st_mtime * 1000)
        for name in ("settings.json", predictions(run.folder).name)
    )
    commit = _commit(run.settings if "commit" in run.settings else code_state())
    tags = texts({**run.tags(), **commit, "mlflow.parentRunId": study})
    ident, changed = store.start(run.name, key, run.trained(), tags, began)
    if not changed:
        return False
    final, epochs = run.final(about[1]), list(run.epochs())
    last = max((epoch for *_, epoch in epochs), default=0)
    scores = [(name, value, last) for name, value in final.items()]
    store.client.log_text(ident, model_card(run, about[0], final), "model_card.md")
    how = "FAILED" if run.failed else "FINISHED"
    store.close(ident, key, run.params(), [*epochs, *scores], ended, how)
    return True


def _card(run: Run, about: tuple[dict[str, Any], dict[str, Any]]) -> str:
    return model_card(run, about[0], run.final(about[1]))


def _study_tags(runs: list[Run], layout: Layout) -> Tags:
    page = layout.tables / "scores.md"
    note = page.read_text()[:NOTE] if page.is_file() else None
    held = sorted({str(run.settings.get("data_hash")) for run in runs})
    about = {"kind": "study", "data_hash": ", ".join(held), "mlflow.note.content": note}
    return texts({**about, **_commit(code_state())})


def _adopt(store: Store, study: str, names: set[str]) -> None:
    """Every record of the study stands below it; those that are no longer asked for are marked."""
    for ident, tags in store.of_kind("run").items():
        store.tag(ident, {"mlflow.parentRunId": study})
        if tags["mlflow.runName"] not in names:
            store.tag(ident, {"current": "False"})


def _table(corpus: str, layout: Layout) -> list[tuple[str, float, int]]:
    """The table's figures over all seeds: `jca/ccc_mean`, `jca/ccc_low`, …"""
    path = layout.metrics
    found = json.loads(path.read_text()).get(corpus, {}) if path.is_file() else {}
    rows = [(f"{f}/ccc_{name}", v) for f, values in found.items() for name, v in values.items()]
    return [(name, float(value), 0) for name, value in rows if value is not None]


def _asked_for(run: Run, asked: dict[str, Any]) -> bool:
    own = run.settings
    return own["fusion"] in asked.get("fusions", [own["fusion"]]) and own["seed"] in asked.get(
        "seeds", [own["seed"]]
    )


def _commit(state: dict[str, Any]) -> dict[str, Any]:
    """The commit that trained a run, else the one that records it, and whether files differed."""
    if not state["commit"]:
        return {}
    return {"mlflow.source.git.commit": state["commit"], "dirty": state.get("dirty")}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file())
