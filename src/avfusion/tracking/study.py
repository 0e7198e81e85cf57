"""Record a study in MLflow: a record of the study, of each fusion and of each run, nested.

The best model is registered, and a view of the fusions by rank is saved.
"""

import json
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

from avfusion.config.jobs import RecordSettings
from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation.run_scores import Run, finished_runs
from avfusion.io.stamped import content_key
from avfusion.layout import Layout
from avfusion.provenance import code_state
from avfusion.runs.files import predictions
from avfusion.tracking.card import model_card
from avfusion.tracking.fusions import record_fusions
from avfusion.tracking.headline import NAMES, Headline, read_headline
from avfusion.tracking.model import register_best
from avfusion.tracking.store import Store, Tags, texts
from avfusion.tracking.view import save_view

log = logging.getLogger(__name__)

LOG_EVERY_S = 5.0
FORM = b"5"
"""Raised when the content of records changes, so that they are written again."""

NOTE = 5000  # characters; MLflow's limit for a tag is 8000


def record_study(
    store: Store, settings: RecordSettings | None, layout: Layout, uri: str
) -> dict[str, Any]:
    """Record what is new or changed.

    Parameters
    ----------
    store
        The records of the study.
    settings
        Runs of its fusions and seeds are current; None if all runs are.
    layout
        Paths of the results.
    uri
        Tracking URI of the store.

    Returns
    -------
    dict
        Number of runs, number of new records of runs, URI of the best model or None, address of
        the saved view, and what the store now shows: see `study_key`.
    """
    statistics = settings.statistics if settings else StatisticsSettings()
    runs, keys = _runs(store.corpus, settings, layout)
    pages = _pages(layout)
    key = _key(keys, layout)
    study, changed = store.start("study", key, key, _study_tags(runs, layout))
    card = json.loads(layout.card(store.corpus).read_text(encoding="utf-8"))
    protocol = settings.headline if settings else "pooled"
    headline = read_headline(store.corpus, protocol, layout, runs)
    parents = record_fusions(store, headline, runs, study, FORM)
    new, logged = 0, time.monotonic()
    for count, (run, run_key) in enumerate(zip(runs, keys, strict=True), start=1):
        parent = parents[run.settings.fusion]
        new += _record(run, store, run_key, parent, card, (statistics, headline))
        if time.monotonic() - logged > LOG_EVERY_S:
            log.info("%s: %d of %d runs recorded", store.corpus, count, len(runs))
            logged = time.monotonic()
    _adopt(store, study, {run.name: parents[run.settings.fusion] for run in runs})
    if changed:
        store.files(study, pages)
    describe = partial(_card, card=card, statistics=statistics)
    model = register_best(store, runs, protocol, describe)
    if changed:
        store.close(study, key, {}, _table(store.corpus, layout), int(time.time() * 1000))
    view = save_view(store, headline, _findings(store.corpus, layout), uri)
    return {"runs": len(runs), "new": new, "model": model, "view": view, "shows": key}


def study_key(corpus: str, settings: RecordSettings | None, layout: Layout) -> str:
    """Return what a store that shows the study as it is now would hold, as a digest of contents."""
    _, keys = _runs(corpus, settings, layout)
    return _key(keys, layout)


def _key(keys: list[str], layout: Layout) -> str:
    pages = (page.read_bytes() for page in _pages(layout))
    return content_key(FORM, *(key.encode() for key in keys), *pages)


def _runs(
    corpus: str, settings: RecordSettings | None, layout: Layout
) -> tuple[list[Run], list[str]]:
    """Return the current runs, and the key of the record of each."""
    statistics = settings.statistics if settings else StatisticsSettings()
    drawn = json.dumps(statistics.model_dump(), sort_keys=True).encode()
    runs = [run for run in finished_runs(corpus, layout) if _is_current(run, settings)]
    return runs, [content_key(FORM, run.key().encode(), drawn) for run in runs]


def _record(
    run: Run,
    store: Store,
    key: str,
    parent: str,
    card: dict[str, Any],
    scored: tuple[StatisticsSettings, Headline],
) -> bool:
    """Record one run below its fusion; return False if it was recorded already."""
    began, ended = (
        int((run.folder / name).stat().st_mtime * 1000)
        for name in ("settings.json", predictions(run.folder).name)
    )
    commit = _commit(run.settings.commit, run.settings.dirty)
    tags = texts({**run.tags(), **commit, "mlflow.parentRunId": parent})
    ident, changed = store.start(run.name, key, run.trained(), tags, began)
    if not changed:
        return False
    statistics, headline = scored
    final, epochs = run.final(statistics), list(run.epochs())
    last = max((epoch for *_, epoch in epochs), default=0)
    values = headline.of_run(final) | final
    scores = [(name, value, last) for name, value in values.items()]
    text = model_card(run, card, final)
    store.client.log_text(ident, text, "model_card.md")
    store.tag(ident, {"mlflow.note.content": text[:NOTE]})
    status = "FAILED" if run.failed else "FINISHED"
    store.close(ident, key, run.params(), [*epochs, *scores], ended, status)
    return True


def _card(run: Run, card: dict[str, Any], statistics: StatisticsSettings) -> str:
    return model_card(run, card, run.final(statistics))


def _study_tags(runs: list[Run], layout: Layout) -> Tags:
    page = layout.tables / "scores.md"
    note = page.read_text(encoding="utf-8")[:NOTE] if page.is_file() else None
    hashes = sorted({run.settings.data_hash for run in runs})
    about = {"kind": "study", "data_hash": ", ".join(hashes), "mlflow.note.content": note}
    state = code_state()
    return texts({**about, **_commit(state["commit"], state.get("dirty"))})


def _adopt(store: Store, study: str, parents: dict[str, str]) -> None:
    """Put each record of a run below that of its fusion, and mark those of no current run.

    parents: name of each current run -> record of its fusion.
    """
    for ident, tags in store.of_kind("run").items():
        name = tags["mlflow.runName"]
        store.tag(ident, {"mlflow.parentRunId": parents.get(name, study)})
        if name not in parents:
            store.tag(ident, {"current": "False"})


def _findings(corpus: str, layout: Layout) -> str:
    """Return what the study found on a corpus as a list in Markdown, from summary.json."""
    path = layout.tables / "summary.json"
    corpora = json.loads(path.read_text(encoding="utf-8"))["corpora"] if path.is_file() else {}
    lines = [f"- {sentence}" for sentence in corpora.get(corpus, {}).get("sentences", [])]
    return "\n".join([f"# {layout.results}: {corpus}", "", *lines])


def _table(corpus: str, layout: Layout) -> list[tuple[str, float, int]]:
    """Return the score of the best fusion with its interval, from metrics.json."""
    path = layout.metrics
    values = json.loads(path.read_text(encoding="utf-8")).get(corpus, {}) if path.is_file() else {}
    rows = [(name, values.get(key)) for key, name in NAMES.items()]
    return [(name, float(value), 0) for name, value in rows if value is not None]


def _is_current(run: Run, settings: RecordSettings | None) -> bool:
    record = run.settings
    return settings is None or (record.fusion in settings.fusions and record.seed in settings.seeds)


def _commit(commit: str | None, dirty: bool | None) -> dict[str, Any]:
    """Return the tags of a commit and of local changes; empty without a commit."""
    return {"mlflow.source.git.commit": commit, "dirty": dirty} if commit else {}


def _pages(layout: Layout) -> list[Path]:
    return [*_files(layout.tables), *_files(layout.figures)]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file())
