"""What the tables were made from: tables/provenance.json, and whether disk still holds the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from avfusion.io.atomic import file_digest
from avfusion.io.redact import plain
from avfusion.io.stamped import read_sealed, write_sealed
from avfusion.layout import Layout
from avfusion.provenance import code_state, machine_state
from avfusion.runs.files import predictions

FILE = "provenance.json"


MEND = "Run `avf report --only tables` (or `snakemake all`); it is written with the tables."


RUN_FILES = ("settings.json", "best.safetensors", "epochs.csv")


def write_origins(study: dict[str, Any], layout: Layout) -> None:
    """Write provenance.json: the study, the code, and a SHA-256 of every source and every table.

    study: `Study.model_dump()`. Paths are relative to the results folder; where a corpus lies on
    this machine is left out, for tables are handed around.
    """
    sources = {_name(path, layout): file_digest(path).hex() for path in _sources(study, layout)}
    tables = {path.name: file_digest(path).hex() for path in sorted(layout.tables.glob("*.csv"))}
    made = {"machine": machine_state(), **code_state()}
    record = {"study": plain(study), "made": made, "tables": tables, "sources": sources}
    write_sealed(layout.tables / FILE, record)


def read_origins(layout: Layout) -> dict[str, Any]:
    """What `write_origins` wrote; refuses an edited file."""
    return read_sealed(layout.tables / FILE, MEND)


def state(path: Path, recorded: dict[str, str], layout: Layout) -> str:
    """`as recorded`, `STALE` where the content differs by now, `gone`, or `not recorded`."""
    known = recorded.get(_name(path, layout))
    if not path.is_file():
        return "gone" if known else "absent"
    if known is None:
        return "not recorded"
    return "as recorded" if file_digest(path).hex() == known else "STALE"


def run_sources(folder: Path) -> list[Path]:
    """The files of a run that its numbers follow from."""
    return [predictions(folder), *(folder / name for name in RUN_FILES)]


def corpus_sources(corpus: str, study: dict[str, Any], layout: Layout) -> list[Path]:
    """The files of a corpus that every run and score of it follows from."""
    names = dict.fromkeys(name for part in study["features"].values() for name in part)
    robust = [layout.robustness(corpus) / "sums.parquet"] if study.get("robustness") else []
    return [
        *(layout.manifest(corpus), layout.gold(corpus), layout.card(corpus)),
        *(layout.features(corpus, name) / "index.parquet" for name in names),
        *(layout.scores(corpus) / name for name in ("scores.parquet", "sums.parquet")),
        *robust,
    ]


def _sources(study: dict[str, Any], layout: Layout) -> Iterator[Path]:
    for corpus in study["corpora"]:
        yield from filter(Path.is_file, corpus_sources(corpus, study, layout))
        for fusion in study["fusions"]:
            for seed in study["seeds"]:
                folder = layout.run(corpus, fusion, seed)
                yield from filter(Path.is_file, run_sources(folder))


def _name(path: Path, layout: Layout) -> str:
    return path.relative_to(layout.results).as_posix()
