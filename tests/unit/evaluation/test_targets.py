"""A corpus with other targets than valence and arousal, from training to the page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.config.study import Study
from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.protocols import protocol
from avfusion.rating import Rating
from avfusion.report import write
from avfusion.runs.train import train_run
from support.synthetic_features import Plan, run_settings, write_inputs

pytestmark = pytest.mark.slow

FATIGUE = Rating(("fatigue",), 0.0, 10.0)
TIRED = Plan(corpus="tired", rating=FATIGUE, delay_s={"fatigue": 0.4})
FELT = replace(Plan(corpus="felt"), rating=Rating(("valence", "arousal"), 1.0, 5.0))
SHORT = {"epochs": 3, "hidden": 8}


@pytest.fixture(scope="module")
def tired(tmp_path_factory):
    """A study of two corpora with different targets, trained and scored."""
    folder = tmp_path_factory.mktemp("tired")
    layout = Layout(folder)
    study = study_of({"tired": {}, "toy": {}})
    for plan in (TIRED, Plan()):
        write_inputs(layout, plan)
        for fusion in study.fusions:
            train_run(run_settings(plan, fusion, **SHORT), layout)
        score_corpus(plan.corpus, study.score_settings(plan.corpus), layout)
    write(study, layout)
    return layout


def study_of(corpora):
    return Study(
        corpora={name: {"root": f"data/{name}", **entry} for name, entry in corpora.items()},
        fusions={"concat": {}, "late": {}, "ca": {"train": {"head": "ca"}}},
        features={"audio": ["ear"], "video": ["eye"]},
        seeds=[0],
        statistics={"draws": 200},
    )


def test_moving_onto_the_scale_and_back_changes_nothing():
    x = np.array([0.0, 3.3, 10.0])
    assert FATIGUE.inward(x).tolist() == pytest.approx([-1, -0.34, 1])
    assert FATIGUE.outward(FATIGUE.inward(x)) == pytest.approx(x)
    assert Rating().inward(x) is x
    assert Rating().outward(x) is x


def test_traces_and_scores_are_in_the_corpus_own_unit_and_targets(tired):
    traces = pd.read_parquet(tired.run("tired", "concat", 0) / "traces.parquet")
    assert list(traces.columns) == ["video", "partition", "time_s", "fatigue", "outside"]
    assert traces["fatigue"].mean() > 1.5  # beyond [-1, 1], where it was fitted
    scores = pd.read_parquet(tired.scores("tired") / "scores.parquet")
    assert set(scores["target"]) == {"fatigue", "mean"}
    pooled = scores[(scores["protocol"] == "pooled") & (scores["partition"] == "test")]
    wide = pooled.pivot(index="fusion", columns="target", values="ccc")
    assert (wide["fatigue"] == wide["mean"]).all()
    assert pooled["mae"].between(0.05, 5).all()
    assert (pooled["rmse"] >= pooled["mae"]).all()


def test_the_ccc_of_a_scale_is_that_of_the_same_ratings_in_plus_minus_one(tmp_path):
    """Ratings of 1 … 5 are the same ratings in another unit: the same run, the same score."""
    by_low = {}
    for plan in (FELT, replace(FELT, rating=Rating())):
        layout = Layout(tmp_path / f"{plan.rating.low}")
        write_inputs(layout, plan)
        train_run(run_settings(plan, "concat", **SHORT), layout)
        score_corpus("felt", study_of({"felt": {}}).score_settings("felt"), layout)
        scores = pd.read_parquet(layout.scores("felt") / "scores.parquet")
        by_low[plan.rating.low] = scores[scores["fusion"] == "concat"]
    ours, theirs = by_low[1.0], by_low[-1.0]
    assert ours["ccc"].to_numpy() == pytest.approx(theirs["ccc"].to_numpy(), abs=2e-3)
    assert ours["mae"].to_numpy() == pytest.approx(2 * theirs["mae"].to_numpy(), abs=2e-3)


def test_a_rule_stated_on_plus_minus_one_is_moved_onto_the_scale():
    smoothed = protocol.load("smoothed")
    time_s = np.arange(60) / 10
    wild = pd.DataFrame({"time_s": time_s, "fatigue": np.where(time_s < 3, 99.0, 8.0)})
    gold = wild.assign(fatigue=np.where(time_s < 1, np.nan, 8.0))
    p, g = protocol.apply(smoothed, wild, gold, {}, FATIGUE)["fatigue"]
    assert p.max() == 10
    assert g.min() == 5
    assert np.array_equal(g == 5, time_s < 1)


def test_the_record_of_a_run_names_its_targets_and_their_range(tired):
    record = json.loads((tired.run("tired", "late", 0) / "settings.json").read_text())
    assert record["targets"] == ["fatigue"]
    assert record["range"] == [0.0, 10.0]
    usual = json.loads((tired.run("toy", "late", 0) / "settings.json").read_text())
    assert usual["targets"] == ["valence", "arousal"]
    assert usual["range"] == [-1.0, 1.0]


def test_tables_figures_and_page_show_each_corpus_own_targets(tired):
    scores = pd.read_csv(tired.tables / "scores.csv")
    by = {corpus: set(rows["target"]) for corpus, rows in scores.groupby("corpus")}
    assert by == {"tired": {"fatigue", "mean"}, "toy": {"valence", "arousal", "mean"}}
    text = (tired.tables / "scores.md").read_text()
    first, second = text.split("## toy")
    assert "fatigue CCC" in first
    assert "valence" not in first
    assert "valence CCC" in second
    assert "fatigue" not in second
    for kind in ("ccc", "differences", "traces_1"):
        assert (tired.figures / f"tired_{kind}.svg").stat().st_size > 5000
    assert "fatigue" in (tired.results / "report.html").read_text()


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def _root():
    assert Path("config/protocols").is_dir(), "run from the project's root"
