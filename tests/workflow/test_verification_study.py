"""The study of made people runs through Snakemake, from generated videos to the page."""

import json

import pandas as pd
import pytest
import yaml

from avfusion.layout import Layout
from support.miniatures import voxceleb1
from support.scratch import ROOT, Copy

DEMO = "config/experiments/verification_demo.yaml"
FUSIONS = ("audio", "video", "concat")
PEOPLE = 16


def small() -> dict:
    """The study of made people with few people, videos, epochs and draws."""
    study = yaml.safe_load((ROOT / DEMO).read_text())
    (name,) = study["corpora"]
    study["corpora"][name]["options"] |= {"people": PEOPLE}
    study["fusions"] = {fusion: {} for fusion in FUSIONS}
    study["encoders"]["mel_cnn"] |= {"epochs": 1}
    study["encoders"]["face_cnn"] |= {"epochs": 1}
    study["train"] |= {"epochs": 3}
    return study | {"results": "results", "seeds": [0, 1], "statistics": {"draws": 200}}


@pytest.fixture(scope="module")
def met(once):
    """The finished small study: paths of its results."""

    def make(folder):
        copy = Copy(folder)
        (folder / "small.yaml").write_text(yaml.safe_dump(small()))
        copy.snakemake("--cores", "2", "--configfile", "small.yaml", "--", "all")

    return Layout(once("verification_demo", make) / "results")


@pytest.mark.parametrize("name", ["verification_demo", "verification_rjca"])
def test_the_graph_of_a_study_ends_in_its_scores(copy, name):
    file = f"config/experiments/{name}.yaml"
    study = yaml.safe_load((copy.folder / file).read_text())
    if "voxceleb1" in study["corpora"]:
        voxceleb1.build(copy.folder / study["corpora"]["voxceleb1"]["root"])
    jobs = copy.jobs("all", ("--configfile", file))
    assert jobs["tables"] == jobs["page"] == jobs["score_verification"] == 1
    assert jobs["train_verification"] == len(study["fusions"]) + 1  # and ridge
    assert not {"score", "train"} & jobs.keys()


@pytest.mark.slow
def test_the_tables_of_a_run_study_have_every_fusion(met):
    table = pd.read_csv(met.tables / "verification.csv")
    assert set(table["fusion"]) == {*FUSIONS, "ridge", "average"}
    assert set(table["partition"]) == {"validation", "test"}
    assert table["mean"].between(0, 1).all()
    assert table["seeds"].eq(2).mean() > 0.7  # a fusion in closed form may have one


@pytest.mark.slow
def test_the_runs_of_a_study_are_recorded(met):
    (stamp,) = (json.loads(path.read_text()) for path in met.results.glob("mlflow.*.json"))
    assert stamp["recorded"], stamp
    assert stamp["runs"] >= 2 * len(FUSIONS)
    assert "viewStateShareKey=" in stamp["view"]


@pytest.mark.slow
def test_the_page_of_a_run_study_has_its_tables(met):
    page = met.page.read_text()
    assert "Which audio-visual fusion tells people apart better?" in page
    assert "has the lowest EER of the fusions" in page
