"""What finished is shown in MLflow once, as it is; what MLflow does never stops a study."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest

from avfusion.evaluation import inference
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS, weighted_score
from avfusion.tracking.record import record_corpus
from avfusion.tracking.store import Store
from support.recorded_study import train_study, write_study
from support.synthetic_features import Plan, run_settings, write_inputs

RUNS = {"concat/seed0", "concat/seed1", "audio/seed0", "audio/seed1"}
FUSIONS = {"concat", "audio"}


@pytest.fixture
def here(tmp_path, monkeypatch, project):
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Layout(tmp_path / "results")


@pytest.fixture
def study(here, monkeypatch):
    """Four finished, scored runs and one figure."""
    monkeypatch.setenv("SLURM_JOB_ID", "4242")
    study = write_study(here)
    here.figures.mkdir()
    (here.figures / "toy_ccc.svg").write_text("<svg/>")
    here.metrics.write_text('{"toy": {"best": "concat", "score": 0.5, "score_low": 0.4}}')
    columns = ["fusion", "target", "mean", "low", "high", "sd"]
    rows = [("audio", 0.2, 0.1), ("concat", 0.5, 0.4)]
    table = [(f, t, mean, low, 0.6, 0.01) for f, mean, low in rows for t in ("mean", "valence")]
    scores = pd.DataFrame(table, columns=columns).assign(
        corpus="toy", partition="test", protocol="pooled", seeds=2
    )
    here.tables.mkdir()
    scores.to_csv(here.tables / "scores.csv", index=False)
    found = {"toy": {"sentences": ["concat is better."]}}
    (here.tables / "summary.json").write_text(json.dumps({"corpora": found}))
    return study


def record(layout, study):
    """Record; returns what the stamp says."""
    assert record_corpus("toy", study.record_settings(), layout) == 0
    stamp = json.loads((layout.results / "mlflow.toy.json").read_text())
    assert stamp["recorded"], stamp
    return stamp


def shown(layout):
    """Run name -> run, of those that are current."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{layout.results / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("toy").experiment_id
    runs = client.search_runs([experiment], "tags.current = 'True'")
    named = {run.data.tags["mlflow.runName"]: run for run in runs}
    assert len(named) == len(runs), "each run is shown once"
    return client, named


def identities(runs):
    return {name: run.info.run_id for name, run in runs.items()}


@pytest.mark.slow
def test_a_run_is_shown_with_what_it_was_and_what_it_reached(here, study):
    assert record(here, study)["new"] == 4
    client, runs = shown(here)
    assert set(runs) == {"study", *FUSIONS, *RUNS}
    run, fusion, parent = runs["concat/seed1"], runs["concat"], runs["study"]
    assert run.data.params["train.lr"] == "0.003"
    assert "commit" not in run.data.params, "where it came from is in its tags"
    settings = json.loads((here.run("toy", "concat", 1) / "settings.json").read_text())
    tags = run.data.tags
    assert tags["mlflow.parentRunId"] == fusion.info.run_id
    assert fusion.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert "# toy: concat/seed1" in tags["mlflow.note.content"]
    assert tags["mlflow.source.git.commit"] == settings["commit"]
    assert tags["dirty"] == str(settings["dirty"])
    assert tags["data_hash"] == settings["data_hash"]
    assert tags["slurm_job"] == "4242"
    assert tags["host"] == settings["machine"]["host"]
    assert tags["gpu"] == "none"
    assert re.fullmatch("[0-9a-f]{16}", tags["feature_hash"])

    epochs = pd.read_csv(here.run("toy", "concat", 1) / "epochs.csv")
    losses = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in losses] == list(
        zip(epochs["epoch"], epochs["loss"], strict=True)
    )
    assert_scores(run.data.metrics, here, study)
    assert parent.data.metrics["1 score"] == 0.5
    files = [item.path for item in client.list_artifacts(parent.info.run_id, "figures")]
    assert files == ["figures/toy_ccc.svg"]
    assert client.list_artifacts(run.info.run_id)[0].path == "model_card.md"


def assert_scores(metrics, layout, study):
    """Every protocol's score of concat, seed 1, is there with the interval of its own videos."""
    scores = pd.read_parquet(layout.scores("toy") / "scores.parquet")
    scores = scores.query("fusion == 'concat' and seed == 1")
    assert set(scores["protocol"]) == set(study.protocols)
    for row in scores.itertuples():
        name = f"{row.partition}/{row.protocol}/ccc_{row.target}"
        assert metrics[name] == pytest.approx(row.ccc)
        if row.partition != "train":
            assert metrics[f"{name}_low"] < metrics[f"{name}_high"]
    sums = pd.read_parquet(layout.scores("toy") / "sums.parquet")
    sums = sums.query("fusion == 'concat' and seed == 1 and protocol == 'pooled'")
    sums = sums.query("partition == 'test' and target == 'arousal'").sort_values("video")
    weight = inference.draw(len(sums), 200, 0)
    samples = weighted_score(sums[list(SUMS)].to_numpy(), weight, "pooled")
    low, _ = inference.interval(samples, len(sums), 0.05)
    assert metrics["test/pooled/ccc_arousal_low"] == pytest.approx(low)


@pytest.mark.slow
def test_recording_again_adds_what_changed_and_nothing_else(here, study):
    record(here, study)
    client, first = shown(here)
    assert record(here, study)["new"] == 0
    assert identities(shown(here)[1]) == identities(first), "nothing changed, nothing new"

    client.delete_tag(first["audio/seed0"].info.run_id, "key")  # as a kill before the end leaves it
    assert record(here, study)["new"] == 1
    _, second = shown(here)
    kept = {name for name in RUNS if identities(second)[name] == identities(first)[name]}
    assert kept == RUNS - {"audio/seed0"}

    longer = study.model_copy(update={"train": study.train.model_copy(update={"epochs": 3})})
    train_study(here, longer)
    assert record(here, longer)["new"] == 4
    _, third = shown(here)
    old = client.get_run(first["concat/seed1"].info.run_id)
    assert old.data.tags["current"] == "False", "the former training can still be compared"
    assert old.data.tags["mlflow.parentRunId"] == third["concat"].info.run_id
    assert len(client.get_metric_history(third["concat/seed1"].info.run_id, "train/loss")) == 3

    fewer = longer.model_copy(update={"seeds": [0]})
    record(here, fewer)
    assert set(shown(here)[1]) == {"study", *FUSIONS, "concat/seed0", "audio/seed0"}


@pytest.mark.slow
def test_fusions_open_with_score_interval_and_rank_and_a_view_sorts_them(here, study):
    stamp = record(here, study)
    client, runs = shown(here)
    for name, score, low, rank in (("concat", 0.5, 0.4, 1), ("audio", 0.2, 0.1, 2)):
        values = runs[name].data.metrics
        assert values["1 score"] == score
        assert (values["2 low"], values["3 high"]) == (low, 0.6)
        assert (values["4 rank"], values["7 valence"]) == (rank, score)
        assert f"rank: {rank}" in runs[name].data.tags["mlflow.note.content"]
    for name in RUNS:
        metrics = runs[name].data.metrics
        first = [key for key in sorted(metrics) if key[0].isdigit()]
        assert sorted(metrics)[: len(first)] == first
        assert metrics["1 score"] == metrics["test/pooled/ccc_mean"]
        assert 3 <= len(first) <= 15
    experiment = client.get_experiment_by_name("toy")
    assert "- concat is better." in experiment.tags["mlflow.note.content"]
    key = (here.results / "mlflow.id").read_text().strip()
    page = f"/#/experiments/{experiment.experiment_id}/runs?viewStateShareKey={key}"
    assert stamp["view"] == f"http://127.0.0.1:5000{page}"
    view = json.loads(experiment.tags[f"mlflow.sharedViewState.{key}"])
    listed = client.search_runs(
        [experiment.experiment_id], view["searchFilter"], order_by=[f"{view['orderByKey']} ASC"]
    )
    assert [run.data.tags["mlflow.runName"] for run in listed] == ["concat", "audio"]
    assert view["selectedColumns"][:2] == ["metrics.`1 score`", "metrics.`2 low`"]


@pytest.mark.parametrize(
    "store", ["http://someone:secret@127.0.0.1:9", "sqlite:////proc/none/mlflow.db"]
)
def test_a_dead_store_is_said_and_stops_nothing(here, store, caplog):
    assert record_corpus("demo", None, here, store) == 0
    stamp = json.loads((here.results / "mlflow.demo.json").read_text())
    assert stamp["recorded"] is False
    assert "secret" not in caplog.text + json.dumps(stamp)
    assert "The study is complete without it" in caplog.text
    assert "avf record demo --results" in caplog.text


def test_the_command_that_records_later_has_its_folder_quoted(here, caplog):
    layout = Layout(here.results / "my results, 2")
    record_corpus("demo", None, layout, "sqlite:////proc/none/mlflow.db")
    assert f"avf record demo --results '{layout.results}' --store URI" in caplog.text


def test_a_fusion_that_is_called_study_leaves_the_record_of_the_study(here):
    here.results.mkdir()
    store = Store(f"sqlite:///{here.results / 'mlflow.db'}", "toy", "key of the study", here)
    study, _ = store.start("study", "a", "a", {"kind": "study"})
    fusion, new = store.start("study", "b", "b", {"kind": "fusion"})
    assert new
    assert fusion != study
    run = store.client.get_run(study)
    assert (run.info.lifecycle_stage, run.data.tags["current"]) == ("active", "True")


def test_without_a_finished_run_it_says_so(here):
    assert record_corpus("demo", None, here) == 0
    assert (
        "no finished run" in json.loads((here.results / "mlflow.demo.json").read_text())["reason"]
    )


@pytest.mark.slow
def test_training_does_not_import_mlflow(here):
    """In a process of its own, as `avf train` is, with a server named that it must not look at."""
    plan = write_inputs(here, Plan(duration_s=6.0))
    path = here.results / "run.json"
    path.write_text(json.dumps(run_settings(plan, "concat", epochs=1).document()))
    code = (
        "import sys; from avfusion.cli import main; "
        f"code = main(['train', 'toy', 'concat', '--results', {str(here.results)!r}, "
        f"'--settings', {str(path)!r}]); "
        "assert not [m for m in sys.modules if m.split('.')[0] == 'mlflow']; sys.exit(code)"
    )
    env = {**os.environ, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
