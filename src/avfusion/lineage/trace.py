"""Trace a row of a table back to its runs, their files, and the commands that make them."""

import json
import shlex
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pandas as pd

from avfusion.config import match
from avfusion.config.jobs import RunSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest
from avfusion.io.shards import read_table
from avfusion.io.stamped import weights_digest
from avfusion.layout import Layout
from avfusion.lineage import commands
from avfusion.lineage.tables import Origins, corpus_sources, read_origins, run_sources, state
from avfusion.literature import claims
from avfusion.runs.files import read_settings, train_command

RATED, OF_TRIALS = ("protocol", "target"), ("list", "condition", "norm")
"""Columns that a row of scores has besides partition and fusion, of ratings and of trials."""


class TracedRun(TypedDict):
    """One run: its folder, the state of its files, and what made it."""

    folder: str
    files: dict[str, str]
    train: str
    note: NotRequired[str]
    settings_hash: NotRequired[str]
    settings: NotRequired[dict[str, Any]]
    commit: NotRequired[str | None]
    dirty: NotRequired[bool | None]
    data_hash: NotRequired[str]
    machine: NotRequired[dict[str, Any]]
    features: NotRequired[dict[str, str]]
    weights_sha256: NotRequired[str]
    weights_checksum: NotRequired[str]


class Trace(TypedDict):
    """Everything behind a row of a table, ready for JSON."""

    table: dict[str, Any]
    row: dict[str, Any]
    cell: dict[str, Any] | None
    seeds: list[dict[str, Any]]
    made: dict[str, Any]
    runs: list[TracedRun]
    files: dict[str, str]
    commands: list[str]


def trace(path: Path, row: int, column: str | None = None) -> Trace:
    """Return everything behind a row of a CSV in tables/.

    Parameters
    ----------
    path
        The table.
    row
        Number of the row; 1 is the first below the heading.
    column
        A cell of that row.

    Raises
    ------
    AvfError
        If there is no such table, row or column.
    """
    layout = Layout(path.absolute().parent.parent)
    table = _read(path, layout)
    if not 1 <= row <= len(table):
        raise AvfError(f"{path}: has rows 1 to {len(table)}, not {row}. Try `--row 1`.")
    if column is not None and column not in table:
        raise AvfError(f"{path}: no column {column!r}. It has: {', '.join(table)}.")
    origins = read_origins(layout)
    study, recorded = Study.model_validate(origins["study"]), origins["sources"]
    cells = {str(k): v for k, v in table.iloc[row - 1].dropna().items()}
    corpus = str(cells.get("corpus", ""))
    runs = [_run(folder, recorded, layout) for folder in _folders(cells, corpus, study, layout)]
    listed = corpus in study.corpora
    sources = corpus_sources(corpus, study, layout) if listed else []
    return {
        "table": {"path": str(path), "row": row, "state": _table_state(path, origins)},
        "row": {name: _as_python(value) for name, value in cells.items()},
        "cell": None if column is None else {"column": column, "value": cells.get(column)},
        "seeds": _seeds(cells, layout),
        "made": origins["made"],
        "runs": runs,
        "files": {str(source): state(source, recorded, layout) for source in sources},
        "commands": _commands(corpus, runs, study, layout) if listed else [],
    }


def _as_python(value: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    return value.item() if hasattr(value, "item") else value


def _read(path: Path, layout: Layout) -> pd.DataFrame:
    if path.suffix == ".csv" and path.is_file():
        return pd.read_csv(path)
    names = ", ".join(sorted(p.name for p in layout.tables.glob("*.csv")))
    if not names:
        raise AvfError(f"{path}: no study has written tables there yet. Run: snakemake all")
    what = "not a CSV table" if path.is_file() else "no such table"
    raise AvfError(
        f"{path}: {what}. Tables in {layout.tables}: {names}. To write them again, "
        f"run `avf report --only tables`."
    )


def _table_state(path: Path, origins: Origins) -> str:
    expected = origins["tables"].get(path.name)
    if expected is None:
        return "not recorded"
    return "as recorded" if file_digest(path).hex() == expected else "STALE: edited since"


def _folders(cells: dict[str, Any], corpus: str, study: Study, layout: Layout) -> list[Path]:
    """Return the folders of the runs behind a row: its fusions, with its seed or all seeds."""
    if corpus not in study.corpora:
        return []
    names = [cells[key] for key in ("fusion", "other") if cells.get(key) in study.fusions]
    if "claim" in cells:
        known = claims.load()
        chosen = [claim for claim in known.claims if claim.name == cells["claim"]]
        entries = [match.find(known.form(n), study) for claim in chosen for n in claim.fusions()]
        names += [name for name in entries if name]
    seeds = [int(cells["seed"])] if "seed" in cells else study.seeds
    return [layout.run(corpus, name, seed) for name in dict.fromkeys(names) for seed in seeds]


def _run(folder: Path, recorded: dict[str, str], layout: Layout) -> TracedRun:
    """Return one run with the settings, code and machine that made it."""
    run: TracedRun = {
        "folder": str(folder),
        "files": {path.name: state(path, recorded, layout) for path in run_sources(folder)},
        "train": train_command(folder),
    }
    if not (folder / "settings.json").is_file():
        run["note"] = "not run"
        return run
    record = read_settings(folder)
    asked = set(RunSettings.model_fields)
    run["settings_hash"] = record.run
    run["settings"] = record.model_dump(mode="json", include=asked)
    run["commit"], run["dirty"] = record.commit, record.dirty
    run["data_hash"], run["machine"] = record.data_hash, record.machine
    run["features"] = record.predicted
    weights = folder / "best.safetensors"
    if weights.is_file():
        run["weights_sha256"] = file_digest(weights).hex()
        run["weights_checksum"] = weights_digest(weights)
    return run


def _seeds(cells: dict[str, Any], layout: Layout) -> list[dict[str, Any]]:
    """Return the score of each seed behind a mean, from scores.parquet."""
    keys = [k for k in ("fusion", "partition", *RATED, *OF_TRIALS, "seed") if k in cells]
    path = layout.scores(str(cells.get("corpus", ""))) / "scores.parquet"
    complete = any({"fusion", *place} <= set(keys) for place in (RATED, OF_TRIALS))
    if not path.is_file() or not complete:
        return []
    rows = read_table(path)
    for key in keys:
        rows = rows[rows[key] == cells[key]]
    return json.loads(rows.to_json(orient="records"))


def _commands(corpus: str, runs: list[TracedRun], study: Study, layout: Layout) -> list[str]:
    """Return all commands from the videos to the tables, for bash, each with its settings."""
    place = commands.place(study, layout)
    recorded = {run["train"]: run["settings"] for run in runs if "settings" in run}
    pairs = [(settings["fusion"], settings["seed"]) for settings in recorded.values()]
    lines = []
    for step in [*commands.steps(corpus, study, place, pairs), commands.report(study, "tables")]:
        line = f"{step.words} --results {shlex.quote(place)}" if step.results else step.words
        if step.settings is not None:
            document = recorded.get(step.words) or step.settings().model_dump(mode="json")
            text = shlex.quote(json.dumps(document, ensure_ascii=False))
            line = f"{line} --settings /dev/stdin <<< {text}"
        lines.append(line)
    return lines
