"""Registry of tables: their files, which study has them and the function that writes them.

A new table takes a file with its function and one entry here. The tables command, the page and the
workflow read this tuple. Nothing heavy is imported, because Snakemake reads it too.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from avfusion.config.study import Study

PACKAGE = "avfusion.report.tables"
Condition = Literal["always", "classes", "folds", "grids", "robustness", "verification", "votes"]
CSV: tuple[str, ...] = ("csv",)
TEXT: tuple[str, ...] = ("csv", "md")
ALL: tuple[str, ...] = ("csv", "md", "tex")
LATE: tuple[Condition, ...] = ("folds", "votes")
"""Conditions that are known only after the corpora are verified and scored."""


@dataclass(frozen=True)
class TableSpec:
    """One table, written as `results/tables/{stem}.{format}`.

    Parameters
    ----------
    stem
        File name without its ending.
    title
        Name of the table in the page's list.
    write
        `"module:function"` below `avfusion.report.tables`. The function takes `TableData` and
        writes the files of all entries that name it.
    formats
        Endings of the files.
    when
        Which studies have the table. `"folds"` depends on the scores and `"votes"` on the human
        votes of corpora: their functions remove the files that they do not write, and the workflow
        does not list them.
    """

    stem: str
    title: str
    write: str
    formats: tuple[str, ...] = ALL
    when: Condition = "always"

    @property
    def files(self) -> list[str]:
        """File names of the table."""
        return [f"{self.stem}.{ending}" for ending in self.formats]


TABLES = (
    TableSpec("scores", "Scores", "scores:write_scores"),
    TableSpec("scores_validation", "Scores on validation", "scores:write_scores", CSV),
    TableSpec("comparisons", "Comparisons", "comparisons:write_comparisons"),
    TableSpec("protocols", "Protocols", "protocols:write_protocols", TEXT),
    TableSpec("classes", "Classes", "classes:write_classes", when="classes"),
    TableSpec(
        "verification",
        "Person verification",
        "verification:write_verification",
        when="verification",
    ),
    TableSpec(
        "verification_pairs",
        "Differences in verification",
        "verification:write_verification",
        CSV,
        when="verification",
    ),
    TableSpec("folds", "Folds", "folds:write_folds", when="folds"),
    TableSpec(
        "human_gain",
        "Fusion gain of models and raters",
        "human_gain:write_human_gain",
        when="votes",
    ),
    # Claims and published numbers read the tables of corrupted input.
    TableSpec("robustness", "Robustness", "robustness:write_robustness", when="robustness"),
    TableSpec("areas", "Pairs under corruption", "robustness:write_robustness", when="robustness"),
    TableSpec("losses", "Losses", "robustness:write_robustness", CSV, when="robustness"),
    TableSpec("gates", "Gates in planted spans", "gates:write_gates", when="robustness"),
    TableSpec("gaps", "Gain of gates", "gates:write_gates", CSV, when="robustness"),
    TableSpec("grids", "Grids", "grids:write_grids", TEXT, when="grids"),
    TableSpec("claims", "Claims of the papers", "claims:write_claims"),
    TableSpec("published", "Published numbers", "published:write_published"),
    TableSpec("fusions", "Fusions", "fusions:write_fusions", TEXT),
    TableSpec("features", "Features", "features:write_features", TEXT),
    TableSpec("runs", "Runs", "summary:write_runs", CSV),
    TableSpec("summary", "Summary", "summary:write_summary", ("json",)),
)
"""All tables, in the order in which they are written."""


def applies(spec: TableSpec, study: Study, here: Iterable[str]) -> bool:
    """Return whether a study has a table; `here` are its corpora with scores."""
    if spec.when in ("classes", "verification"):
        return any(study.task(corpus) == spec.when for corpus in here)
    if spec.when == "grids":
        return any(study.grid_of(fusion) for fusion in study.fusions)
    if spec.when == "robustness":
        return bool(study.robustness)
    return True


def tables_of(study: Study, here: Iterable[str]) -> list[str]:
    """Return the file names of a study's tables that are known before the scores.

    Parameters
    ----------
    study
        The settings of the study.
    here
        Corpora that are present, which will have scores.
    """
    here = list(here)
    specs = [spec for spec in TABLES if spec.when not in LATE and applies(spec, study, here)]
    return [file for spec in specs for file in spec.files]


def function(write: str) -> Callable[[Any], None]:
    """Return the function of `"module:function"`, imported on first use."""
    module, _, name = write.partition(":")
    writer: Callable[[Any], None] = getattr(import_module(f"{PACKAGE}.{module}"), name)
    return writer


def code() -> list[str]:
    """Return the functions that write tables, for `fingerprint`."""
    return sorted({f"{PACKAGE}.{spec.write}" for spec in TABLES})
