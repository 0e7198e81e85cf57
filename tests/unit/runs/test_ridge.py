"""The run of a fusion in closed form: solved once, and then like any other run."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.layout import Layout
from avfusion.runs import ridge
from avfusion.runs.predictor import Trained
from avfusion.runs.serve import Served
from avfusion.runs.train import train_run
from avfusion.training.checkpoint import load_weights
from avfusion.training.ridge import STRENGTHS, Ridge
from support.synthetic_classes import study, write_utterances
from support.synthetic_features import Plan, run_settings, write_inputs

SMALL = Plan(videos={"train": 4, "validation": 2, "test": 2}, duration_s=16.0)


@pytest.fixture
def layout(tmp_path) -> Layout:
    write_inputs(Layout(tmp_path), SMALL)
    return Layout(tmp_path)


def train(layout: Layout, seed: int = 0, **rule):
    train_run(run_settings(SMALL, "ridge", seed, **rule), layout)
    return layout.run("toy", "ridge", seed)


def test_a_run_has_one_epoch_and_the_files_of_every_run(layout):
    folder = train(layout)
    table = pd.read_csv(folder / "epochs.csv")
    assert len(table) == 1
    assert table["penalty"].iloc[0] in STRENGTHS
    assert table["score"].iloc[0] > 0.5
    fit = json.loads((folder / "fit.json").read_text())
    assert (fit["epoch"], fit["epochs"], fit["ridge"], fit["marks"]) == (1, 1, None, [])
    assert fit["validation"]["score"] == pytest.approx(table["score"].iloc[0])
    traces = pd.read_parquet(folder / "traces.parquet")
    assert traces[["valence", "arousal"]].notna().all().all()


def test_predictions_are_the_linear_function_of_the_standardised_features(layout):
    folder = train(layout)
    trained = Trained.open(folder, layout)
    weights, _ = load_weights(folder / "best.safetensors")
    video = trained.data.videos["video"].iloc[0]
    parts = []
    for modality, encoders in (("video", ["eye"]), ("audio", ["ear"])):
        x = torch.from_numpy(trained.data.rows(video, encoders)).float()
        parts.append(getattr(trained.model, modality)(x, ~x.isnan().all(-1)))
    expected = torch.cat(parts, dim=-1) @ weights["head.weight"].T + weights["head.bias"]
    traces = pd.read_parquet(folder / "traces.parquet").query("video == @video")
    np.testing.assert_allclose(traces[["valence", "arousal"]], expected, atol=1e-5)


def test_the_penalty_has_the_best_score_on_validation(layout, monkeypatch):
    scores = {}
    weights = Ridge.weights

    def noted(self, strength):
        scores.setdefault(strength, None)
        return weights(self, strength)

    monkeypatch.setattr(Ridge, "weights", noted)
    folder = train(layout)
    chosen = pd.read_csv(folder / "epochs.csv").iloc[0]
    assert tuple(scores) == STRENGTHS
    for strength in STRENGTHS:
        monkeypatch.setattr(ridge, "STRENGTHS", (strength,))
        score = pd.read_csv(train(layout) / "epochs.csv")["score"].iloc[0]
        assert score <= chosen["score"]
        if strength == chosen["penalty"]:
            assert score == chosen["score"]


def test_seeds_give_the_same_weights_and_a_second_run_the_same_bytes(layout):
    folder = train(layout)
    names = ("best.safetensors", "epochs.csv", "traces.parquet", "fit.json", "state.pt")
    first = [(folder / name).read_bytes() for name in names]
    train(layout)
    assert [(folder / name).read_bytes() for name in names] == first
    other, _ = load_weights(train(layout, seed=1) / "best.safetensors")
    weights, _ = load_weights(folder / "best.safetensors")
    assert all(torch.equal(weights[name], other[name]) for name in weights)


def test_a_finished_fit_is_not_solved_again_and_a_damaged_one_is(layout, monkeypatch):
    folder = train(layout)
    before = (folder / "best.safetensors").read_bytes()
    solved = []
    fitted = ridge._fitted
    monkeypatch.setattr(ridge, "_fitted", lambda *a, **k: solved.append(1) or fitted(*a, **k))
    train(layout)
    assert not solved
    (folder / "state.pt").write_bytes(b"cut off")
    train(layout)
    assert solved
    assert (folder / "best.safetensors").read_bytes() == before
    solved.clear()
    train(layout, limit=3.0)
    assert solved, "other settings"


def test_models_of_single_targets_are_those_of_both(layout):
    together = pd.read_parquet(train(layout) / "traces.parquet")
    penalty = pd.read_csv(layout.run("toy", "ridge", 0) / "epochs.csv")["penalty"].iloc[0]
    folder = train(layout, targets="separate")
    each = pd.read_parquet(folder / "traces.parquet")
    for target in ("valence", "arousal"):
        if pd.read_csv(folder / target / "epochs.csv")["penalty"].iloc[0] == penalty:
            np.testing.assert_allclose(each[target], together[target], atol=1e-5)


def test_a_served_ridge_predicts_as_its_traces(layout):
    folder = train(layout, baseline="none")
    served, trained = Served.open(folder / "best.safetensors"), Trained.open(folder, layout)
    video = trained.data.videos["video"].iloc[0]
    frame = pd.DataFrame({"video": video, "time_s": trained.data.times(video)})
    for modality, encoder in (("audio", "ear"), ("video", "eye")):
        rows = trained.data.rows(video, [encoder])
        frame = frame.join(pd.DataFrame(rows, columns=served.columns()[modality]))
    traces = pd.read_parquet(folder / "traces.parquet").query("video == @video")
    np.testing.assert_allclose(served.predict(frame), traces[["valence", "arousal"]], atol=1e-6)


def test_classes_are_predicted_far_beyond_chance(tmp_path):
    layout, plan = Layout(tmp_path), study()
    plan = plan.model_copy(update={"fusions": {"ridge": {}}})
    write_utterances(layout)
    train_run(plan.run_settings("said", "ridge", 0), layout)
    folder = layout.run("said", "ridge", 0)
    labels = pd.read_parquet(layout.labels("said")).set_index("video")["label"]
    table = pd.read_parquet(folder / "classes.parquet").query("partition == 'test'")
    table = table.set_index("video")
    predicted = table[list(labels.unique())].idxmax(axis=1)
    assert (predicted == labels[predicted.index]).mean() > 0.4  # chance: 1 / 7
    fit = json.loads((folder / "fit.json").read_text())
    assert fit["train"]["ua"] == fit["train"]["score"]


def test_of_too_many_features_evenly_spaced_rows_are_used_and_said(layout, monkeypatch, caplog):
    width = 32
    every = load_weights(train(layout) / "best.safetensors")[0]["head.weight"]
    monkeypatch.setattr(ridge, "WIDEST", width - 1)
    monkeypatch.setattr(ridge, "VALUES", width * 60)
    some = load_weights(train(layout, seed=1) / "best.safetensors")[0]["head.weight"]
    assert "toy/ridge/seed1: fitted to about 60 of 512 rated" in caplog.text
    assert "because of 32 features" in caplog.text
    assert some.isfinite().all()
    assert not torch.equal(every, some)
