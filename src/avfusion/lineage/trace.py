"""From a row of a table to the runs behind it, their files, and the commands that make them."""

import json
import shlex
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.config import match
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest
from avfusion.io.shards import read_table
from avfusion.io.stamped import digest, weights_digest
from avfusion.layout import Layout
from avfusion.lineage.tables import corpus_sources, read_origins, run_sources, state
from avfusion.literature import claims
from avfusion.registry import corpora, encoders
from avfusion.runs.files import read_settings, train_command

SPOKEN = ("commit", "dirty", "data_hash", "machine")


def trace(path: Path, row: int, column: str | None = None) -> dict[str, Any]:
    """Everything behind row `row` (1 is the first below the heading) of a CSV in tables/.

    column: a cell of that row. Answers table, row, cell, made, runs, files, commands; JSON-ready.
    """
    layout = Layout(path.absolute().parent.parent)
    table = _read(path, layout)
    if not 1 <= row <= len(table):
        raise AvfError(f"{path}: has rows 1 to {len(table)}, not {row}. Try `--row 1`.")
    if column is not None and column not in table:
        raise AvfError(f"{path}: no column {column!r}. It has: {', '.join(table)}.")
    said = read_origins(layout)
    study, known = said["study"], said["sources"]
    cells = {str(k): v for k, v in table.iloc[row - 1].dropna().items()}
    corpus = cells.get("corpus", "")
    runs = [_run(folder, known, layout) for folder in _folders(cells, corpus, study, layout)]
    own = corpus_sources(corpus, study, layout) if corpus in study["corpora"] else []
    return {
        "table": {"path": str(path), "row": row, "state": _table_state(path, said)},
        "row": {name: getattr(value, "item", lambda v=value: v)() for name, value in cells.items()},
        "cell": None if column is None else {"column": column, "value": cells.get(column)},
        "seeds": _seeds(cells, layout),
        "made": said["made"],
        "runs": runs,
        "files": {str(p): state(p, known, layout) for p in own},
        "commands": _commands(corpus, runs, Study.model_validate(study), layout) if own else [],
    }


def _read(path: Path, layout: Layout) -> pd.DataFrame:
    if path.suffix == ".csv" and path.is_file():
        return pd.read_csv(path)
    there = ", ".join(sorted(p.name for p in layout.tables.glob("*.csv"))) or "none"
    raise AvfError(
        f"{path}: not a CSV table of a study. Tables in {layout.tables}: {there}. "
        f"`avf report` writes them."
    )


def _table_state(path: Path, said: dict[str, Any]) -> str:
    known = said["tables"].get(path.name)
    if known is None:
        return "not recorded"
    return "as recorded" if file_digest(path).hex() == known else "STALE: edited since"


def _folders(
    cells: dict[str, Any], corpus: str, study: dict[str, Any], layout: Layout
) -> list[Path]:
    """The run folders that a row is about: its fusions and, unless it names one, all seeds."""
    if corpus not in study["corpora"]:
        return []
    names = [cells[key] for key in ("fusion", "other") if cells.get(key) in study["fusions"]]
    if "claim" in cells:
        known = claims.load()
        wanted = [claim for claim in known.claims if claim.name == cells["claim"]]
        found = [match.find(known.form(n), study) for claim in wanted for n in claim.fusions()]
        names += [name for name in found if name]
    seeds = [int(cells["seed"])] if "seed" in cells else study["seeds"]
    return [layout.run(corpus, name, seed) for name in dict.fromkeys(names) for seed in seeds]


def _run(folder: Path, known: dict[str, str], layout: Layout) -> dict[str, Any]:
    """One run: where it lies, what made it, and the state of each of its files."""
    files = {p.name: state(p, known, layout) for p in run_sources(folder)}
    found: dict[str, Any] = {"folder": str(folder), "files": files, "train": train_command(folder)}
    if not (folder / "settings.json").is_file():
        return found | {"note": "not run"}
    own = read_settings(folder)
    said = {name: own[name] for name in SPOKEN if name in own}
    weights = folder / "best.safetensors"
    asked = {
        k: v
        for k, v in own.items()
        if k not in (*SPOKEN, "inputs", "missing", "run", "chosen", "parameters")
    }
    found |= {"settings_hash": own.get("run", digest(own)), "settings": asked, **said}
    found["features"] = own.get("inputs", {}).get("features", {})
    if weights.is_file():
        found["weights_sha256"] = file_digest(weights).hex()
        found["weights_checksum"] = weights_digest(weights)
    return found


def _seeds(cells: dict[str, Any], layout: Layout) -> list[dict[str, Any]]:
    """The score of each seed behind a mean, from scores.parquet."""
    keys = [k for k in ("fusion", "protocol", "partition", "target", "seed") if k in cells]
    path = layout.scores(str(cells.get("corpus", ""))) / "scores.parquet"
    if not path.is_file() or not {"fusion", "protocol", "target"} <= set(keys):
        return []
    rows = read_table(path)
    for key in keys:
        rows = rows[rows[key] == cells[key]]
    return json.loads(rows.to_json(orient="records"))


def _commands(corpus: str, runs: list[dict[str, Any]], study: Study, layout: Layout) -> list[str]:
    """Every command from the videos to the tables, each with the settings it was given."""
    known = not study.results.startswith("…")
    place = shlex.quote(study.results if known else str(layout.results))

    def line(words: str, settings: Any, results: bool = True) -> str:
        where = f" --results {place}" if results else ""
        given = json.dumps(settings, sort_keys=True, ensure_ascii=False)
        return f"avf {words}{where} --settings {shlex.quote(given)}"

    own = study.corpus_settings(corpus)
    kind = study.corpus_class(corpus)
    made = corpora.known(kind) and corpora.defines(kind, "make")
    lines = [line(f"make-corpus {corpus}", own, results=False)] if made else []
    media = {"root": study.corpora[corpus].root, **study.media.model_dump()}
    lines += [line(f"verify {corpus}", own), line(f"media {corpus}", media)]
    lines.append(f"avf index {shlex.quote(f'{study.results}/media/{corpus}')} --shards 1")
    for name in dict.fromkeys(study.encoder_names()):
        encoder = study.encoder_settings(name, corpus)
        if encoders.constant(name, "fitted"):
            lines.append(line(f"fit-encoder {corpus} {name}", encoder))
        lines.append(line(f"encode {corpus} {name}", encoder))
        folder = shlex.quote(f"{study.results}/features/{corpus}/{name}")
        lines.append(f"avf index {folder} --shards 1")
    lines += [
        line(run["train"].removeprefix("avf "), run["settings"])
        for run in runs
        if "settings" in run
    ]
    lines.append(line(f"score {corpus}", study.score_settings(corpus)))
    if study.robustness and study.corpora[corpus].task == "ratings":
        for name, level, encoder in study.signal_cases():
            settings = study.signal_settings(corpus, encoder)
            lines.append(line(f"corrupt {corpus} {name} {level} {encoder}", settings))
        lines.append(line(f"robust {corpus}", study.robust_settings()))
    return [*lines, line("report --only tables", study.model_dump())]
