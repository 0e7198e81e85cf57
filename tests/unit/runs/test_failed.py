"""A run that diverges is a row with its reason in every table; the study goes on without it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.config.sections import CorpusEntry, FeatureSettings, StatisticsSettings
from avfusion.config.study import Study
from avfusion.errors import RunError
from avfusion.evaluation.run_scores import finished_runs
from avfusion.evaluation.score import score_corpus
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.report.figures.write import write_figures
from avfusion.report.page.write import write_page
from avfusion.report.tables.write import write_tables
from avfusion.runs.files import predicts
from avfusion.runs.train import train_run
from support.small_fit import small_fit
from support.synthetic_features import Plan, write_inputs

WILD = {"train": {"lr": 1e30}}


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


def study(plan: Plan, **fusions) -> Study:
    return Study(
        corpora={plan.corpus: CorpusEntry(root="data/toy")},
        fusions=fusions,
        features=FeatureSettings(audio=["ear"], video=["eye"]),
        train={"epochs": 2, "hidden": 8},
        seeds=[0, 1],
        protocols=["pooled"],
        statistics=StatisticsSettings(draws=200),
    )


def train_all(plan: Study, layout: Layout) -> None:
    for fusion in plan.fusions:
        for seed in plan.seeds:
            train_run(plan.run_settings("toy", fusion, seed), layout)


def test_a_diverging_run_leaves_its_reason_and_no_prediction(layout):
    wild = study(write_inputs(layout), wild={"is": "concat", **WILD})
    train_run(wild.run_settings("toy", "wild", 0), layout)
    folder = layout.run("toy", "wild", 0)
    failed = json.loads((folder / "failed.json").read_text())
    assert "diverged" in failed["reason"]
    assert "1e+30" in failed["next"]
    assert "avf train toy wild --seed 0" in failed["next"]
    assert len(pd.read_parquet(folder / "traces.parquet")) == 0
    assert not (folder / "best.safetensors").exists()
    assert not predicts(folder)
    (run,) = finished_runs("toy", layout)
    assert "diverged" in run.tags()["failed"]
    assert list(run.epochs()) == []


def test_training_again_with_other_settings_clears_the_failure(layout):
    plan = write_inputs(layout)
    train_run(study(plan, concat=WILD).run_settings("toy", "concat", 0), layout)
    train_run(study(plan, concat={}).run_settings("toy", "concat", 0), layout)
    folder = layout.run("toy", "concat", 0)
    assert predicts(folder)
    assert not (folder / "failed.json").exists()
    assert len(pd.read_csv(folder / "epochs.csv")) == 2


def test_a_failure_that_is_not_the_runs_own_is_raised(layout, monkeypatch):
    settings = study(write_inputs(layout), concat={}).run_settings("toy", "concat", 0)

    def full(*_, **__):
        raise MemoryError("out of memory")

    monkeypatch.setattr("avfusion.runs.train.fit", full)
    with pytest.raises(MemoryError):
        train_run(settings, layout)
    assert not (layout.run("toy", "concat", 0) / "traces.parquet").exists()


def test_weights_that_are_not_finite_end_a_fit_whose_loss_was(tmp_path):
    def loss(model, batch):
        value = model(batch[0]).square().mean()
        if loss.calls == 0:
            next(model.parameters()).register_hook(lambda gradient: gradient * torch.nan)
        loss.calls += 1
        return value

    loss.calls = 0
    with pytest.raises(RunError, match="small: diverged"):
        small_fit(tmp_path, loss=loss)


def test_every_table_figure_and_the_page_show_failed_runs_as_failed(layout):
    plan = write_inputs(layout)
    manifest = pd.read_parquet(layout.manifest("toy"))
    write_table(manifest.assign(subject=manifest["video"]), layout.manifest("toy"))
    settings = study(plan, concat={}, audio={}, wild={"is": "ca", **WILD})
    train_all(settings, layout)
    broken = settings.run_settings("toy", "audio", 1)
    train_run(broken.updated(train=broken.train.model_copy(update={"lr": 1e30})), layout)
    score_corpus("toy", settings.score_settings("toy"), layout)
    write_tables(settings, layout)
    write_figures(settings, layout)
    write_page(settings, layout)
    rows = pd.read_csv(layout.tables / "scores.csv").query("target == 'mean'").set_index("fusion")
    assert dict(rows["seeds"]) == {"concat": 2, "audio": 1, "wild": 0}
    assert np.isnan(rows.loc["wild", "mean"])
    assert "failed: diverged: loss is" in rows.loc["wild", "note"]
    assert "seed 1: failed: diverged" in rows.loc["audio", "note"]
    shown = (layout.tables / "scores.md").read_text()
    (wild,) = [line for line in shown.splitlines() if line.startswith("| wild")]
    assert "failed: diverged: loss is" in wild
    assert "audio** (1 of 2 seeds)" in shown or "audio (1 of 2 seeds)" in shown
    captions = json.loads((layout.figures / "captions.json").read_text())
    assert "Failed: diverged" in captions["toy_ccc"]["text"]
    page = layout.page.read_text()
    assert "failed: diverged: loss is" in page
    assert "1 of 2" in page
    claims = pd.read_csv(layout.tables / "claims.csv").set_index("claim")
    assert set(claims["verdict"]) <= {"not run", "undecided", "supported", "contradicted"}
