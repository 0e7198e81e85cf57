"""`avf plan`: hours near those that were measured, and words on what is not known."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from avfusion import cli
from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.planning import rates
from avfusion.planning.plan import Plan
from avfusion.planning.sizes import USUAL_S, quick_size_of, size_of
from avfusion.registry import encoders, fusions


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    return project


def seconds(measure: str, found: str) -> float:
    """Processor seconds of a stage in benchmarks/results/study.json; 0 for other rows."""
    return float(found.split()[0]) if re.match(r"stage \w+, all jobs", measure) else 0.0


def test_hours_of_the_demo_study_are_within_a_factor_of_two_of_the_measured_ones(here, tmp_path):
    rows = json.loads((here / "benchmarks/results/study.json").read_text())["rows"]
    measured_h = sum(seconds(row["measure"], row["found"]) for row in rows) / 3600
    study = load(here / "config/config.yaml")
    away = {"demo": study.corpora["demo"].model_copy(update={"root": str(tmp_path / "demo")})}
    plan = Plan.of(study.model_copy(update={"corpora": away}), Layout(tmp_path / "results"))
    assert measured_h / 2 < plan.total.core_h < 2 * measured_h


def test_each_fusion_was_measured_and_more_than_the_encoders_of_the_demo():
    measured = rates.rates()
    closed = {name for name in fusions.names() if fusions.constant(name, "closed_form")}
    assert {*measured["fusions"]} == {*fusions.names()} - closed
    assert {"mel_cnn", "face_cnn", "words"} <= {*measured["fits"]}
    assert {*measured["encoders"]} <= {*encoders.names()}


def test_a_study_of_a_corpus_that_is_not_here_is_planned_by_its_size(here, capsys):
    config = "config/experiments/tbiom2023_jca.yaml"
    words = ["plan", "--json", "--config", config, "--results", "results/none"]
    assert cli.main(words) == 0
    without = json.loads(capsys.readouterr().out)
    assert cli.main([*words, "--assume", "affwild2=564:26"]) == 0
    with_it = json.loads(capsys.readouterr().out)
    (line,) = [note for note in without["notes"] if note.startswith("affwild2: not here, nothing")]
    assert line not in with_it["notes"]
    assert any("--assume NAME=VIDEOS:HOURS" in note for note in without["notes"])
    assert with_it["corpora"].keys() - without["corpora"].keys() == {"affwild2"}
    assert with_it["total"]["core_h"] > without["total"]["core_h"] + 10
    assert with_it["total"]["disk_gb"] > 5
    assert sum(row["jobs"] for row in with_it["stages"]) == with_it["total"]["jobs"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("affwild2", "expected NAME=VIDEOS:HOURS"),
        ("affwild2=0:26", "must be more than 0"),
        ("absent=3:1", "lists no such corpus, only: demo"),
    ],
)
def test_an_assumption_that_cannot_be_used_is_refused(here, capsys, given, said):
    assert cli.main(["plan", "--assume", given]) == 1
    assert said in capsys.readouterr().err


def test_a_corpus_of_unknown_length_has_jobs_and_no_hours(here, tmp_path):
    study = load(here / "config/config.yaml")
    entry = study.corpora["demo"].model_copy(update={"is_": "recola", "root": str(tmp_path)})
    (tmp_path / "notes.txt").write_text("no recording")
    plan = Plan.of(study.model_copy(update={"corpora": {"one": entry}}), Layout(tmp_path / "r"))
    assert plan.total.core_h is None
    assert plan.total.jobs > 10
    text = "\n".join(plan.text())
    assert "one: 0 recordings of unknown length" in text
    assert "Length not known, so that their stages have no hours: one." in text
    assert "?" in text


def walks_of(root, monkeypatch) -> list[str]:
    """Return a list that fills with the ways in which a folder is listed."""
    walked = []

    def watch(name, method):
        def counted(path, *given):
            walked.extend([name] if path == root else [])
            return method(path, *given)

        monkeypatch.setattr(Path, name, counted)

    for name in ("rglob", "glob", "iterdir"):
        watch(name, getattr(Path, name))
    return walked


def test_the_workflow_learns_the_size_of_a_corpus_without_a_look_at_its_files(
    tmp_path, monkeypatch
):
    """A corpus may hold millions of images, and every `snakemake -n` asks."""
    root, layout = tmp_path / "videos", Layout(tmp_path / "results")
    root.mkdir()
    (root / "a.mp4").write_bytes(b"not opened")
    study = Study(corpora={"one": {"is": "own", "root": str(root)}}, fusions={"ca": {}})

    opened = []
    monkeypatch.setattr("avfusion.media.bounds.opened", opened.append)
    walked = walks_of(root, monkeypatch)
    assert not quick_size_of(study, "one", layout).known
    rows = {"path": ["a.mp4", "b.mp4"], "start_s": [0.0, None], "end_s": [420.0, None]}
    path = layout.manifest("one")
    path.parent.mkdir(parents=True)
    pd.DataFrame({**rows, "partition": ["train", "test"]}).to_parquet(path)
    size = quick_size_of(study, "one", layout)
    assert walked == opened == []
    assert (size.videos, size.hours * 3600) == (2, 420 + USUAL_S)
    assert size.share("train") == 0.5


def test_the_plan_of_a_folder_lists_it_once(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    (tmp_path / "a.jpg").touch()
    study = Study(corpora={"one": {"is": "own", "root": str(tmp_path)}}, fusions={"ca": {}})
    walked = walks_of(tmp_path, monkeypatch)
    assert size_of(study, "one", Layout(tmp_path / "results")).videos == 1
    assert walked == ["rglob"]
