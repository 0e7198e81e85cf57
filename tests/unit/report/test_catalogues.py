"""Registries of figures and tables: what a study has, read without heavy imports."""

import subprocess
import sys
from dataclasses import replace

import pytest

from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.report.figures import catalogue as figures
from avfusion.report.tables import catalogue as tables
from avfusion.report.tables.write import write_tables
from support.reported import reported

CORPORA = {"films": {"root": "films"}, "calls": {"root": "calls", "task": "classes"}}
TEXT = ("csv", "md", "tex")
LIGHT = """
import sys
import avfusion.report.figures.catalogue, avfusion.report.tables.catalogue
print([name for name in ("numpy", "pandas", "matplotlib", "torch") if name in sys.modules])
"""


def study(**more) -> Study:
    return Study(corpora=CORPORA, fusions={"ca": {}}, **more)


def test_a_task_has_its_figures():
    rated = ["ccc", "differences", "protocols", "curves", "traces_1", "traces_2", "traces_3"]
    assert figures.figures_of(study(), "films") == rated
    corrupted = study(robustness={"audio_missing": [0.5]})
    assert figures.figures_of(corrupted, "films") == [*rated, "robust", "gates"]
    classes = ["ccc", "differences", "confusion", "curves"]
    assert figures.figures_of(corrupted, "calls") == classes


def test_two_figures_of_one_file_are_refused_with_what_to_rename():
    two = {"films": {"root": "films"}, "films_gates": {"root": "other"}}
    more = {"corpora": two, "robustness": {"audio_missing": [0.5]}}
    figures.check_files(Study(fusions={"ca": {}}, **more), two)
    with pytest.raises(ConfigError, match=r"figures/films_gates_ccc\.svg would be both .* Rename"):
        figures.check_files(Study(fusions={"ccc": {"is": "ca"}}, **more), two)


def test_optional_tables_follow_the_study():
    always = tables.tables_of(study(), ["films"])
    assert always[0] == "scores.csv"
    assert len(always) == len(set(always))
    late = {spec.stem for spec in tables.TABLES if spec.when in tables.LATE}
    assert late == {"folds", "human_gain"}
    assert not {file.partition(".")[0] for file in always} & late
    more = set(tables.tables_of(study(), CORPORA)) - set(always)
    assert more == {f"classes.{ending}" for ending in TEXT}
    gridded = study(grid={"train.lr": [0.1, 0.01]})
    assert set(tables.tables_of(gridded, ["films"])) - set(always) == {"grids.csv", "grids.md"}
    corrupted = study(robustness={"audio_missing": [0.5]})
    more = set(tables.tables_of(corrupted, ["films"])) - set(always)
    names = {f"{stem}.{ending}" for stem in ("robustness", "areas", "gates") for ending in TEXT}
    assert more == names | {"losses.csv", "gaps.csv"}


def test_every_entry_names_a_function_and_words():
    for spec in figures.FIGURES:
        assert callable(spec.function())
        assert all(figures.title(name) for name in spec.names)
        assert figures.section(spec.name) == spec.section
    for entry in tables.TABLES:
        assert callable(tables.function(entry.write))
        assert entry.title


def test_the_workflow_imports_nothing_heavy_with_the_registries():
    words = [sys.executable, "-c", LIGHT]
    assert subprocess.run(words, check=True, capture_output=True, text=True).stdout == "[]\n"


def test_a_new_table_takes_one_entry(tmp_path, monkeypatch):
    plan, layout = reported(tmp_path, ("audio", "jca"))
    entry = replace(tables.TABLES[-1], stem="notes", formats=("md",), write="notes:write_notes")
    monkeypatch.setattr("avfusion.report.tables.write.TABLES", (*tables.TABLES, entry))

    def write_notes(data) -> None:
        (data.layout.tables / "notes.md").write_text(data.parts[0].scored.corpus)

    function = tables.function
    monkeypatch.setattr(
        "avfusion.report.tables.write.function",
        lambda write: write_notes if write == entry.write else function(write),
    )
    write_tables(plan, layout)
    assert (layout.tables / "notes.md").read_text() == "demo"


@pytest.mark.parametrize("registry", [figures, tables])
def test_the_fingerprint_covers_every_function(registry):
    specs = registry.FIGURES if registry is figures else registry.TABLES
    names = {spec.draw if registry is figures else spec.write for spec in specs}
    assert {root.removeprefix(f"{registry.PACKAGE}.") for root in registry.code()} == names
