"""Runs that did not train are marked, and runs that did are not."""

import json
import logging

import pytest

from avfusion.layout import Layout
from avfusion.runs import ridge
from avfusion.runs.files import did_not_train
from avfusion.runs.marks import marks
from avfusion.runs.train import train_run
from support.synthetic_classes import study, write_utterances
from support.synthetic_features import Plan, run_settings, write_inputs

SMALL = Plan(videos={"train": 4, "validation": 2, "test": 2}, duration_s=16.0)
STUCK = {"lr": 1e-12, "epochs": 12}


@pytest.fixture
def layout(tmp_path) -> Layout:
    write_inputs(Layout(tmp_path), SMALL)
    return Layout(tmp_path)


def train(layout: Layout, fusion: str, **rule):
    train_run(run_settings(SMALL, fusion, **rule), layout)
    folder = layout.run("toy", fusion, 0)
    return json.loads((folder / "fit.json").read_text()), folder


def fit(epoch=20, epochs=30, train=0.7, validation=0.6, linear=(0.7, 0.6), **each):
    content = {"epoch": epoch, "epochs": epochs, "train": {"score": train}}
    content |= {"validation": {"score": validation}}
    scores = dict(zip(("train", "validation"), linear, strict=True))
    content["ridge"] = {name: {"score": score} for name, score in scores.items()}
    return marks(content, {name: dict(zip(("epoch", "epochs"), e, strict=True)) for name, e in
                           each.items()})  # fmt: skip


@pytest.mark.parametrize(
    ("epoch", "epochs", "early"),
    [(1, 11, True), (2, 11, False), (1, 10, False), (1, 2, False), (2, 40, True), (3, 40, False)],
)
def test_an_epoch_is_early_among_the_first_twentieth(epoch, epochs, early):
    assert fit(epoch, epochs) == ([f"kept epoch {epoch} of {epochs}"] if early else [])


def test_a_train_score_far_below_ridge_is_marked_unless_validation_is_better():
    assert fit(train=0.31, validation=0.3, linear=(0.74, 0.6)) == ["train CCC 0.31, ridge 0.74"]
    assert fit(train=0.65, linear=(0.74, 0.7)) == []
    assert fit(train=0.31, validation=0.7, linear=(0.74, 0.6)) == []


def test_targets_that_are_trained_apart_are_marked_by_name():
    assert fit(valence=(1, 20), arousal=(9, 20)) == ["valence: kept epoch 1 of 20"]


def test_a_run_that_cannot_train_is_marked_and_said_to_be(layout, caplog):
    with caplog.at_level(logging.WARNING):
        content, folder = train(layout, "concat", **STUCK)
    first, second = content["marks"]
    assert first == "kept epoch 1 of 11"
    assert second.startswith("train CCC ")
    assert content["ridge"]["train"]["score"] > 0.5
    assert did_not_train(folder) == content["marks"]
    assert "toy/concat/seed0: did not train: kept epoch 1 of 11; train CCC" in caplog.text


def test_a_run_that_trains_is_not_marked(layout):
    content, folder = train(layout, "concat", epochs=60, lr=0.01, dropout=0.1)
    assert content["marks"] == []
    assert did_not_train(folder) == []


def test_the_yardstick_reads_what_the_run_reads(layout):
    both = train(layout, "concat", epochs=1)[0]["ridge"]
    audio = train(layout, "audio", epochs=1)[0]["ridge"]
    assert both["train"]["score"] > audio["train"]["score"] + 0.05
    solved = train(layout, "ridge")[0]
    assert both["train"]["score"] == pytest.approx(solved["train"]["score"], abs=1e-3)


def test_the_yardstick_is_fitted_to_evenly_spaced_windows(layout, monkeypatch):
    every = train(layout, "concat", epochs=1)[0]["ridge"]
    monkeypatch.setattr(ridge, "MOST", 200)
    some = train(layout, "concat", epochs=1)[0]["ridge"]
    assert some["train"] != every["train"]
    assert some["train"]["score"] == pytest.approx(every["train"]["score"], abs=0.15)


def test_training_again_with_the_same_settings_writes_the_same_file(layout):
    first, _ = train(layout, "concat", epochs=2)
    assert train(layout, "concat", epochs=2)[0] == first


def test_a_run_on_classes_is_measured_by_ua(tmp_path):
    layout = Layout(tmp_path)
    plan = study().model_copy(update={"fusions": {"concat": {"train": STUCK}}})
    write_utterances(layout)
    train_run(plan.run_settings("said", "concat", 0), layout)
    found = did_not_train(layout.run("said", "concat", 0))
    assert any(reason.startswith("train UA ") for reason in found)
