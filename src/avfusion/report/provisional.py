"""Tables, figures and page of the runs that are finished so far, in a folder of their own.

    results/provisional/   tables/, figures/, report.html, scores/, and links to what they are of

Each says `PROVISIONAL, k of n runs`, and so does tables/provenance.json. All is written into
results/.provisional first, which is renamed when everything has its stamp. The workflow neither
reads nor writes these folders. A run counts if it was trained with the study's current settings,
code, data and features; one that failed counts, as failed.
"""

import json
import logging
import os
import shutil
from pathlib import Path

import pandas as pd

from avfusion.config.availability import not_here
from avfusion.config.jobs import RunRecord, RunSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation.score import score_corpus
from avfusion.io.atomic import locked, write_text
from avfusion.layout import Layout
from avfusion.lineage.tables import FILE, write_origins
from avfusion.report import write
from avfusion.report.format import write_json
from avfusion.runs.files import predictions, read_settings, refuse_other_inputs

log = logging.getLogger(__name__)

LINKED = ("manifest", "media", "encoders", "features", "grids")
"""Folders of the results that a report reads, besides runs and scores."""
COMPARED = (
    *("class_", "options", "features", "windows", "train", "contexts", "task", "verification"),
    *("arithmetic", "code"),
)
"""Settings that a run must share with the study; with a grid, options and training are chosen."""
CHOSEN = ("options", "train")


def write_provisional(study: Study, layout: Layout) -> Path:
    """Score the finished runs and write tables, figures and page; return their folder.

    Raises
    ------
    AvfError
        If no run is finished, or another process writes the folder.
    """
    away = not_here(study, layout)
    here = [
        name for name, entry in study.corpora.items() if not (entry.if_present and name in away)
    ]
    finished = [run for run in current(study, layout) if run[0] in here]
    total = len(here) * len(study.fusions) * len(study.seeds)
    if not finished:
        raise AvfError(
            f"{layout.results}: none of {total} runs is finished with the current settings, so "
            f"there is nothing to report yet. See `avf status`."
        )
    stamp = f"PROVISIONAL, {len(finished)} of {total} runs"
    plain = study.model_copy(update={"robustness": {}})
    with locked(layout.results, layout.provisional.name):
        view = _view(finished, layout)
        for corpus in dict.fromkeys(corpus for corpus, _, _ in finished):
            score_corpus(corpus, plain.score_settings(corpus), view)
        write(plain, view, stamp=stamp)
        for path in (view.metrics, view.plot):  # DVC compares finished studies
            path.unlink(missing_ok=True)
        stamp_tables(view.tables, stamp)
        write_origins(plain, view, stamp)
        _remove(layout.provisional)
        view.results.rename(layout.provisional)
    log.info("%s: %s", layout.provisional, stamp)
    return layout.provisional


def current(study: Study, layout: Layout) -> list[tuple[str, str, int]]:
    """Return corpus, fusion and seed of the runs that are finished with the study's settings."""
    return [
        (corpus, fusion, seed)
        for corpus in study.corpora
        for fusion in study.fusions
        for seed in study.seeds
        if _current(study, corpus, fusion, seed, layout)
    ]


def _current(study: Study, corpus: str, fusion: str, seed: int, layout: Layout) -> bool:
    folder = layout.run(corpus, fusion, seed)
    if not predictions(folder).is_file():
        return False
    try:
        record = read_settings(folder)
        if others := _other_settings(record, study.run_settings(corpus, fusion, seed)):
            log.warning("%s left out: trained with another %s.", folder, ", ".join(others))
            return False
        card = json.loads(layout.card(corpus).read_text(encoding="utf-8"))
        refuse_other_inputs(record, card["data_hash"], folder, layout)
    except (AvfError, OSError) as error:
        log.warning("%s left out: %s", folder, error)
        return False
    return True


def _other_settings(record: RunRecord, wanted: RunSettings) -> list[str]:
    """Return the compared settings that a run does not share with the study."""
    names = [name for name in COMPARED if not (wanted.grid and name in CHOSEN)]
    return [name for name in names if getattr(record, name) != getattr(wanted, name)]


def _view(finished: list[tuple[str, str, int]], layout: Layout) -> Layout:
    """Return a new folder with links to the results that the finished runs are of."""
    view = Layout(layout.provisional.with_name(f".{layout.provisional.name}"))
    _remove(view.results)
    view.results.mkdir()
    for name in LINKED:
        if (layout.results / name).is_dir():
            _link(layout.results / name, view.results / name)
    for run in finished:
        _link(layout.run(*run), view.run(*run))
    return view


def _remove(folder: Path) -> None:
    """Remove a folder if it is there; its links are removed, not followed."""
    if folder.is_dir():
        shutil.rmtree(folder)


def _link(folder: Path, name: Path) -> None:
    """Make a relative link, which also leads there after the results were moved."""
    name.parent.mkdir(parents=True, exist_ok=True)
    name.symlink_to(os.path.relpath(folder, name.parent), target_is_directory=True)


def stamp_tables(folder: Path, stamp: str) -> None:
    """Write a stamp into every table: a column in CSV, a line in Markdown and LaTeX, a JSON key."""
    for path in folder.glob("*.csv"):
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False).assign(provisional=stamp)
        except pd.errors.EmptyDataError:  # a table without columns
            table = pd.DataFrame({"provisional": [stamp]})
        table.to_csv(path, index=False)
    for path in folder.glob("*.json"):
        if path.name != FILE:  # sealed; `write_origins` writes it with the stamp
            content = {"provisional": stamp, **json.loads(path.read_text(encoding="utf-8"))}
            write_json(path, content)
    for path in folder.glob("*.md"):
        write_text(path, f"**{stamp}**\n\n{path.read_text(encoding='utf-8')}")
    for path in folder.glob("*.tex"):
        line = f"% {stamp}\n\\noindent\\textbf{{{stamp}}}\\par\n"
        write_text(path, line + path.read_text(encoding="utf-8"))
