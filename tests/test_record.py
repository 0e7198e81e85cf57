"""What finished is shown in MLflow once, as it is; what MLflow does never stops a study."""

import json

import pandas as pd
import pytest

from avfusion.layout import Layout
from avfusion.record import record_corpus
from avfusion.score import score_corpus
from synthetic_results import Plan, write_results

PLAN = Plan(errors={"concat": 0.3, "jca": 0.1}, seeds=(0, 1), seconds=8.0)


@pytest.fixture
def layout(tmp_path, monkeypatch, project):
    """A results folder with four finished, scored runs and one figure."""
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    layout = Layout(tmp_path / "results")
    study = write_results(layout, PLAN)
    for fusion in study.fusions:
        for seed in study.seeds:
            folder = layout.run("demo", fusion, seed)
            write_epochs(folder, [0.5, 0.25])
            said = json.loads((folder / "settings.json").read_text())
            own = said | study.run_settings("demo", fusion, seed)
            (folder / "settings.json").write_text(json.dumps(own))
    score_corpus("demo", study.model_dump(), layout)
    layout.figures.mkdir()
    (layout.figures / "demo_ccc.svg").write_text("<svg/>")
    return layout


def write_epochs(folder, losses):
    rows = {"epoch": range(1, len(losses) + 1), "loss": losses, "score": [0.1] * len(losses)}
    pd.DataFrame(rows).to_csv(folder / "epochs.csv", index=False)


def stamp(layout):
    return json.loads((layout.results / "mlflow.demo.json").read_text())


def shown(layout):
    """Run name -> run, as a reader of the store sees them."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{layout.results / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("demo").experiment_id
    runs = client.search_runs([experiment])
    named = {run.data.tags["mlflow.runName"]: run for run in runs}
    assert len(named) == len(runs), "each run is shown once"
    return client, named


@pytest.mark.slow
def test_runs_are_shown_once_as_they_are_and_again_when_they_change(layout):
    assert record_corpus("demo", layout, None) == 0
    assert stamp(layout) | {"store": ""} == {
        "corpus": "demo", "store": "", "recorded": True, "runs": 4, "new": 4,
    }  # fmt: skip
    client, first = shown(layout)
    assert set(first) == {"study", "concat/seed0", "concat/seed1", "jca/seed0", "jca/seed1"}
    run, parent = first["jca/seed1"], first["study"].info.run_id
    assert run.data.params["fusion"] == "jca"
    assert run.data.params["train.lr"] == "0.001"
    assert run.data.tags["seed"] == "1"
    assert run.data.tags["mlflow.parentRunId"] == parent
    losses = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in losses] == [(1, 0.5), (2, 0.25)]
    scores = pd.read_parquet(layout.scores("demo") / "scores.parquet")
    row = scores.query("fusion == 'jca' and seed == 1 and partition == 'test'")
    row = row.query("protocol == 'pooled' and target == 'mean'")
    assert run.data.metrics["test/pooled/ccc_mean"] == pytest.approx(row["ccc"].item())
    files = [item.path for item in client.list_artifacts(parent, "figures")]
    assert files == ["figures/demo_ccc.svg"]

    record_corpus("demo", layout, None)
    assert stamp(layout)["new"] == 0, "what is recorded is not recorded again"
    assert {n: r.info.run_id for n, r in shown(layout)[1].items()} == {
        n: r.info.run_id for n, r in first.items()
    }

    write_epochs(layout.run("demo", "jca", 1), [0.5, 0.25, 0.125])
    client.delete_tag(
        first["concat/seed0"].info.run_id, "key"
    )  # as a kill before the end leaves it
    record_corpus("demo", layout, None)
    _, last = shown(layout)
    assert stamp(layout)["new"] == 2, "the changed run and the unfinished record"
    assert set(last) == set(first)
    assert last["jca/seed1"].data.metrics["train/loss"] == 0.125
    assert last["jca/seed0"].info.run_id == first["jca/seed0"].info.run_id
    parents = {r.data.tags.get("mlflow.parentRunId") for n, r in last.items() if n != "study"}
    assert parents == {last["study"].info.run_id}, "all stay below the study"


@pytest.mark.parametrize(
    "store", ["http://someone:secret@127.0.0.1:9", "sqlite:////proc/none/mlflow.db"]
)
def test_a_dead_store_is_said_and_stops_nothing(layout, store, caplog):
    assert record_corpus("demo", layout, store) == 0
    assert stamp(layout)["recorded"] is False
    assert "secret" not in caplog.text + json.dumps(stamp(layout))
    assert "The study is complete without it" in caplog.text
    assert "avf record demo --results" in caplog.text


def test_without_a_finished_run_it_says_so(tmp_path):
    layout = Layout(tmp_path)
    assert record_corpus("demo", layout, None) == 0
    assert "no finished run" in stamp(layout)["reason"]
