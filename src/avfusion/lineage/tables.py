"""Record in tables/provenance.json what the tables were made from, and compare it with the disk."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from avfusion.config.study import Study
from avfusion.io.atomic import file_digest
from avfusion.io.redact import plain
from avfusion.io.stamped import read_sealed, write_sealed
from avfusion.layout import Layout
from avfusion.provenance import code_state, host_state
from avfusion.runs.files import predictions

FILE = "provenance.json"
TRIALS = "trials.parquet"
RUN_FILES = ("settings.json", "best.safetensors", "epochs.csv", "fit.json", "scaling.csv")


class Origins(TypedDict):
    """Content of provenance.json; paths of sources are relative to the results folder.

    `provisional` holds the stamp of tables of a study that is not finished.
    """

    study: dict[str, Any]
    made: dict[str, Any]
    tables: dict[str, str]
    sources: dict[str, str]
    provisional: NotRequired[str]


def write_origins(study: Study, layout: Layout, stamp: str = "") -> None:
    """Write provenance.json: study, code, machine, and a SHA-256 of every source and table.

    Folders of this machine are left out, because tables are shared. `stamp` is that of a study
    that is not finished.
    """
    sources = {_name(path, layout): file_digest(path).hex() for path in _sources(study, layout)}
    tables = {path.name: file_digest(path).hex() for path in sorted(layout.tables.glob("*.csv"))}
    origins = Origins(
        study=plain(study.model_dump(mode="json")),
        made={"machine": host_state(), **code_state()},
        tables=tables,
        sources=sources,
    )
    if stamp:
        origins["provisional"] = stamp
    write_sealed(layout.tables / FILE, dict(origins))


def read_origins(layout: Layout) -> Origins:
    """Read provenance.json.

    Raises
    ------
    DamagedError
        If the file is missing or was edited.
    """
    remedy = (
        f"Run `{tables_command(layout)}`, which writes it with the tables. Add --config FILE "
        f"unless config/config.yaml is the study of this folder."
    )
    return cast(Origins, read_sealed(layout.tables / FILE, remedy))


def tables_command(layout: Layout) -> str:
    """Return the command that writes the tables of a folder of results again.

    >>> tables_command(Layout(Path("my results")))
    "avf report --only tables --results 'my results'"
    """
    return f"avf report --only tables --results {shlex.quote(str(layout.results))}"


def stamp_of(layout: Layout) -> str:
    """Return the stamp of a study that is not finished, as its tables record it; else ""."""
    there = (layout.tables / FILE).is_file()
    return read_origins(layout).get("provisional", "") if there else ""


def state(path: Path, recorded: dict[str, str], layout: Layout) -> str:
    """Compare a file with its recorded SHA-256.

    Parameters
    ----------
    path
        The file.
    recorded
        Path relative to the results folder -> SHA-256.
    layout
        Paths of the study.

    Returns
    -------
    str
        `as recorded`; `STALE` if the content differs; `gone` if the file was deleted; `absent` if
        it never existed; `not recorded` if it is new.
    """
    expected = recorded.get(_name(path, layout))
    if not path.is_file():
        return "gone" if expected else "absent"
    if expected is None:
        return "not recorded"
    return "as recorded" if file_digest(path).hex() == expected else "STALE"


def run_sources(folder: Path) -> list[Path]:
    """Return the files of a run that its numbers depend on."""
    return [predictions(folder), *(folder / name for name in RUN_FILES)]


def corpus_sources(corpus: str, study: Study, layout: Layout) -> list[Path]:
    """Return the files of a corpus that all its runs and scores depend on."""
    names = dict.fromkeys(study.all_features().encoders)
    robust = [layout.robustness(corpus) / "sums.parquet"] if study.robustness else []
    some = layout.labels(corpus), layout.votes(corpus), layout.trials(corpus)
    return [
        *(layout.manifest(corpus), layout.gold(corpus), layout.card(corpus)),
        *(layout.features(corpus, name) / "index.parquet" for name in names),
        *(layout.scores(corpus) / name for name in ("scores.parquet", "sums.parquet")),
        *robust,
        *filter(Path.is_file, (*some, layout.scores(corpus) / TRIALS)),
    ]


def _sources(study: Study, layout: Layout) -> Iterator[Path]:
    for corpus in study.corpora:
        yield from filter(Path.is_file, corpus_sources(corpus, study, layout))
        for fusion in study.fusions:
            for seed in study.seeds:
                folder = layout.run(corpus, fusion, seed)
                yield from filter(Path.is_file, run_sources(folder))


def _name(path: Path, layout: Layout) -> str:
    return path.relative_to(layout.results).as_posix()
