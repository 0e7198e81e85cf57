"""`train.targets: separate`: each target has a model, a best epoch and a stop of its own."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.config.grid import at_point
from avfusion.config.jobs import RobustSettings
from avfusion.config.sections import CorpusEntry, FeatureSettings
from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.models.model import SeparateModel
from avfusion.rating import Rating
from avfusion.robustness.attention import write_attention
from avfusion.robustness.gate_weights import write_gates
from avfusion.robustness.predict import predict
from avfusion.runs import separate
from avfusion.runs.choose import choose
from avfusion.runs.predictor import Trained
from avfusion.runs.ratings import RatingJob
from avfusion.runs.repeat import repeat
from avfusion.runs.serve import Served
from avfusion.runs.train import train_run, write_traces
from avfusion.training.checkpoint import load_weights
from support.synthetic_features import Plan, run_settings, write_inputs

FILES = ("best.safetensors", "epochs.csv", "traces.parquet")
SHORT = Plan(duration_s=12.0)


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


def train(layout: Layout, plan: Plan, fusion: str = "concat", seed: int = 0, **rule):
    given = {"epochs": 4, "lr": 0.003, "hidden": 8, "targets": "separate"}
    train_run(run_settings(plan, fusion, seed, **given | rule), layout)
    return layout.run(plan.corpus, fusion, seed)


def read(folder) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def test_a_target_is_trained_as_if_it_were_the_only_one(layout, tmp_path):
    """The first target starts from the same weights as a model of this target alone."""
    folder = train(layout, write_inputs(layout, SHORT))
    other = Layout(tmp_path / "other")
    alone = Plan(duration_s=12.0, rating=Rating(("valence",)))
    single = train(other, write_inputs(other, alone), targets="together")
    both, one = (pd.read_parquet(f / "traces.parquet") for f in (folder, single))
    np.testing.assert_array_equal(both["valence"], one["valence"])
    weights, single_weights = (load_weights(f / "best.safetensors")[0] for f in (folder, single))
    for name, tensor in single_weights.items():
        assert torch.equal(weights[f"model_0.{name}"], tensor), name
    assert any(name.startswith("model_1.head") for name in weights)


def test_each_target_keeps_its_best_epoch_and_stops_by_itself(layout):
    folder = train(layout, write_inputs(layout, SHORT), lr=0.03, epochs=40, patience=2)
    each = [pd.read_csv(folder / name / "epochs.csv") for name in ("valence", "arousal")]
    table = pd.read_csv(folder / "epochs.csv")
    assert len(each[0]) != len(each[1]), "the targets should stop in different epochs"
    assert len(table) == max(map(len, each))
    assert list(table) == ["epoch", "loss", "score", "ccc_valence", "ccc_arousal", "lr"]
    best = [one["score"].max() for one in each]
    assert table["score"].max() == pytest.approx(sum(best) / 2, abs=1e-12)
    assert table["score"].is_monotonic_increasing
    for one, name in zip(each, ("valence", "arousal"), strict=True):
        assert list(one) == ["epoch", "loss", "score", f"ccc_{name}", "lr"]
        assert table[f"ccc_{name}"].notna().sum() == len(one)
        assert len(one) - int(one["score"].idxmax()) - 1 == 2 or len(one) == 40
    trained = Trained.open(folder, layout)
    job = RatingJob(trained.settings, layout)
    scores = job.validate(trained.model)
    assert scores["ccc_valence"] == pytest.approx(best[0], abs=1e-6)
    assert scores["ccc_arousal"] == pytest.approx(best[1], abs=1e-6)


def test_the_joined_history_follows_its_description():
    valence = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [1.0, 0.8, 0.6],
            "score": [0.1, 0.3, 0.2],
            "ccc_valence": [0.1, 0.3, 0.2],
            "rows": [5.0, 5, 5],
            "own": [2.0, 2, 2],
            "lr": [1.0, 1, 1],
        }
    )
    arousal = pd.DataFrame(
        {
            "epoch": [1],
            "loss": [0.5],
            "score": [0.7],
            "ccc_arousal": [0.7],
            "rows": [4.0],
            "lr": [0.5],
        }
    )
    table = separate.joined({"valence": valence, "arousal": arousal})
    assert table["epoch"].tolist() == [1, 2, 3]
    assert table["loss"].tolist() == [0.75, 0.8, 0.6]
    np.testing.assert_allclose(table["score"], [0.4, 0.5, 0.5])
    assert table["lr"].tolist() == [0.75, 1, 1]
    np.testing.assert_array_equal(table["ccc_arousal"], [0.7, np.nan, np.nan])
    np.testing.assert_array_equal(table["rows_arousal"], [4, np.nan, np.nan])
    np.testing.assert_array_equal(table["rows_valence"], [5, 5, 5])
    assert "own" in table
    assert "rows" not in table, "a column of both targets is of neither"
    assert separate.joined({"valence": valence.head(0)}).empty


@pytest.mark.parametrize("calls", [1, 3, 5, 8])
def test_a_killed_run_goes_on_to_the_same_bits(layout, tmp_path, monkeypatch, calls):
    """Kills in the first target, at its end, and in the second: 4 epochs each."""
    plan = write_inputs(layout, SHORT)
    expected = read(train(layout, plan, "jca", head="rjcma"))
    other = Layout(tmp_path / "other")
    write_inputs(other, SHORT)
    validate, count = RatingJob.validate, [0]

    def killed(job, model):
        count[0] += 1
        if count[0] == calls:
            raise KeyboardInterrupt
        return validate(job, model)

    with monkeypatch.context() as patch:
        patch.setattr(RatingJob, "validate", killed)
        with pytest.raises(KeyboardInterrupt):
            train(other, plan, "jca", head="rjcma")
    folder = other.run(plan.corpus, "jca", 0)
    assert not (folder / "traces.parquet").exists()
    done = folder / ("valence" if calls <= 4 else "arousal") / "epochs.csv"
    assert len(pd.read_csv(done)) == (calls - 1) % 4
    assert read(train(other, plan, "jca", head="rjcma")) == expected
    assert not list(folder.glob("*/best.safetensors"))


def test_a_change_of_targets_leaves_nothing_of_the_other_form(layout):
    plan = write_inputs(layout, SHORT)
    folder = train(layout, plan)
    first = read(folder)
    train(layout, plan, targets="together")
    assert (folder / "state.pt").is_file()
    assert not [path for path in folder.iterdir() if path.is_dir()]
    train(layout, plan)
    assert not (folder / "state.pt").exists()
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"valence", "arousal"}
    assert read(folder) == first


def test_a_target_that_diverges_is_named(layout):
    plan = write_inputs(layout, SHORT)
    gold = pd.read_parquet(layout.gold(plan.corpus))
    gold.loc[gold["video"].str.startswith("val"), "arousal"] = 0.25
    gold.to_parquet(layout.gold(plan.corpus))
    folder = train(layout, plan, standardise="standard", lr=1e30)
    content = json.loads((folder / "failed.json").read_text())
    assert content["reason"].startswith("target valence: diverged")
    assert content["next"].endswith("Then `avf train toy concat --seed 0`.")
    assert (folder / "epochs.csv").is_file()
    assert pd.read_parquet(folder / "traces.parquet").empty


@pytest.mark.parametrize("fusion", ["late", "dca"])
def test_all_that_reads_a_run_reads_one_of_two_models(layout, fusion):
    plan = write_inputs(layout, SHORT)
    folder = train(layout, plan, fusion, epochs=2, baseline="none")
    before = read(folder)
    write_traces(folder, layout)
    assert read(folder) == before
    trained = Trained.open(folder, layout)
    assert isinstance(trained.model, SeparateModel)
    if fusion == "late":
        assert {trained.model.of(name).fusion.out_dim for name in trained.model.names} == {1}
    served = Served.open(folder / "best.safetensors")
    windows = trained.data.windows("test")
    frame = trained.rows("test")
    for modality, names in served.columns().items():
        frame[names] = getattr(windows, modality).float().numpy()
    traces = pd.read_parquet(folder / "traces.parquet")
    expected = traces[traces["partition"] == "test"].reset_index(drop=True)
    np.testing.assert_allclose(served.predict(frame), expected[["valence", "arousal"]], atol=1e-5)


def test_gates_attention_and_robustness_read_one_of_two_models(layout):
    plan = write_inputs(layout, SHORT)
    folder = train(layout, plan, "dca", epochs=1)
    given = RobustSettings(
        fusions=["dca"],
        headline="pooled",
        robustness={"audio_missing": [0.5]},
        seeds=[0],
        draw=0,
        code="",
    )
    assert list(predict(plan.corpus, [("dca", 0)], "test", given, layout))[-1] == 1
    traces = pd.read_parquet(layout.robustness(plan.corpus) / "dca/seed0/traces.parquet")
    assert set(traces["corruption"]) == {"whole", "audio_missing"}
    write_gates(plan.corpus, given, layout)
    gates = pd.read_parquet(folder / "gates.parquet")
    assert {"gate_audio_valence", "gate_audio_arousal"} <= set(gates)
    write_attention(plan.corpus, given, layout)


def test_a_repeated_run_is_equal(layout):
    folder = train(layout, write_inputs(layout, SHORT), epochs=2)
    assert repeat(folder, layout).equal


def test_a_grid_chooses_by_the_mean_of_the_best_scores(layout):
    write_inputs(layout, SHORT)
    study = Study(
        corpora={"toy": CorpusEntry(root="data/toy")},
        fusions={"concat": {"grid": {"train.targets": ["together", "separate"]}}},
        features=FeatureSettings(audio=["ear"], video=["eye"]),
        train={"epochs": 3, "hidden": 8},
    )
    settings = study.run_settings("toy", "concat", 0)
    assert "avfusion.runs.separate" not in settings.leaving
    scores = {}
    for value in ("together", "separate"):
        point = f"train.targets={value}"
        train_run(at_point(settings, point), layout)
        folder = layout.grid_run("toy", "concat", point, 0)
        scores[point] = pd.read_csv(folder / "epochs.csv")["score"].max()
        assert (folder / "valence").is_dir() == (value == "separate")
    result = choose(study.grid_settings("toy", "concat"), layout)
    assert {row["point"]: row["score"] for row in result["points"]} == pytest.approx(scores)
    train_run(settings, layout)
    kept = json.loads((layout.run("toy", "concat", 0) / "settings.json").read_text())
    assert kept["train"]["targets"] == result["options"]["train.targets"]
