"""A store that was moved or copied finds its artifacts, and adds new ones where it is now."""

import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from avfusion.layout import Layout
from avfusion.tracking.moved import follow
from avfusion.tracking.place import experiment_name, store_folder
from avfusion.tracking.record import record_corpus, show_again
from avfusion.tracking.store import Store
from support.recorded_study import train_study, write_study


@pytest.fixture
def study(tmp_path, monkeypatch, project):
    """Two finished runs, recorded in the store of the results folder `first`."""
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    layout = Layout(tmp_path / "first" / "results")
    study = write_study(layout, fusions={"concat": {}})
    assert record(layout, study)["new"] == 2
    return study


def record(layout, study):
    record_corpus("toy", study.record_settings(), layout)
    return json.loads((layout.results / "mlflow.toy.json").read_text())


def client_of(layout):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{layout.results / 'mlflow.db'}")


def current(layout):
    """Run name -> run, of the current records."""
    client = client_of(layout)
    runs = client.search_runs([client.get_experiment_by_name("toy").experiment_id])
    runs = [run for run in runs if run.data.tags["current"] == "True"]
    return {run.data.tags["mlflow.runName"]: run for run in runs}


@pytest.mark.slow
@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_after_a_move_or_a_copy_the_model_loads_and_new_artifacts_lie_there(study, tmp_path, how):
    import mlflow

    how(tmp_path / "first", tmp_path / "second, here")
    there = Layout(tmp_path / "second, here" / "results")
    before = sorted((tmp_path / "first").rglob("*"))
    assert record(there, study)["new"] == 0
    for run in current(there).values():
        if run.data.tags["kind"] == "run":
            listed = client_of(there).list_artifacts(run.info.run_id)
            assert "model_card.md" in {item.path for item in listed}
    mlflow.set_tracking_uri(f"sqlite:///{there.results / 'mlflow.db'}")
    try:
        place = mlflow.artifacts.download_artifacts("models:/avfusion-toy@best")
    finally:
        mlflow.set_tracking_uri(None)
    assert place.startswith(str(there.results))

    longer = study.model_copy(update={"train": study.train.model_copy(update={"epochs": 3})})
    train_study(there, longer)
    assert record(there, longer)["new"] == 2
    for run in current(there).values():
        assert run.info.artifact_uri.startswith(there.results.as_uri())
    assert sorted((tmp_path / "first").rglob("*")) == before, "the old folder is left alone"


@pytest.mark.slow
def test_records_whose_artifacts_are_gone_are_written_again(study, tmp_path):
    layout = Layout(tmp_path / "first" / "results")
    shutil.rmtree(layout.results / "mlartifacts")
    result = record(layout, study)
    assert (result["new"], result["model"]) == (2, "models:/avfusion-toy/2")
    for run in current(layout).values():
        if run.data.tags["kind"] == "run":
            assert client_of(layout).list_artifacts(run.info.run_id)


@pytest.mark.slow
def test_a_store_that_shows_another_branch_shows_this_study_again(study, tmp_path):
    """Runs of one branch are current, and its best model has the alias; a lost store is filled."""
    layout, settings = Layout(tmp_path / "first" / "results"), study.record_settings()
    assert not show_again("toy", settings, layout)
    kept = ("runs", "scores")
    for name in kept:
        shutil.copytree(layout.results / name, tmp_path / name)
    longer = study.model_copy(update={"train": study.train.model_copy(update={"epochs": 3})})
    train_study(layout, longer)
    assert record(layout, longer)["model"] == "models:/avfusion-toy/2"
    for name in kept:  # as a switch of the branch does
        shutil.rmtree(layout.results / name)
        shutil.copytree(tmp_path / name, layout.results / name)

    assert show_again("toy", settings, layout)
    client = client_of(layout)
    assert client.get_model_version_by_alias("avfusion-toy", "best").version == 1
    runs = client.search_runs([client.get_experiment_by_name("toy").experiment_id])
    named = [run.data.tags["mlflow.runName"] for run in runs if run.data.tags["current"] == "True"]
    assert sorted(named) == ["concat", "concat/seed0", "concat/seed1", "study"]
    assert not show_again("toy", settings, layout)

    without = Layout(tmp_path / "second" / "results")
    shutil.copytree(layout.results, without.results, ignore=shutil.ignore_patterns("mlflow.db*"))
    assert show_again("toy", settings, without)
    assert client_of(without).get_model_version_by_alias("avfusion-toy", "best").version == 1


@pytest.mark.slow
def test_a_deleted_experiment_names_the_command_that_restores_it(study, tmp_path, capfd):
    layout = Layout(tmp_path / "first" / "results")
    client = client_of(layout)
    ident = client.get_experiment_by_name("toy").experiment_id
    client.delete_experiment(ident)
    result = record(layout, study)
    assert result["recorded"] is False
    assert f"mlflow experiments restore --experiment-id {ident}" in result["reason"]
    client.restore_experiment(ident)
    assert record(layout, study)["recorded"]


def test_an_address_changes_only_to_where_the_artifact_is(tmp_path):
    """Addresses of servers, of folders that exist, and of artifacts that are nowhere, stay."""
    here, other = tmp_path / "here", tmp_path / "other"
    (here / "mlartifacts/toy/1").mkdir(parents=True)
    (other / "mlartifacts/toy/2").mkdir(parents=True)
    addresses = {
        f"{(tmp_path / 'old').as_uri()}/mlartifacts/toy/1": f"{here.as_uri()}/mlartifacts/toy/1",
        f"{other.as_uri()}/mlartifacts/toy/2": f"{other.as_uri()}/mlartifacts/toy/2",
        f"{(tmp_path / 'old').as_uri()}/mlartifacts/toy/3": f"{(tmp_path / 'old').as_uri()}"
        "/mlartifacts/toy/3",
        "mlflow-artifacts:/1/mlartifacts/3": "mlflow-artifacts:/1/mlartifacts/3",
    }
    with sqlite3.connect(here / "mlflow.db") as base:
        pd.DataFrame({"artifact_uri": list(addresses)}).to_sql("runs", base, index=False)
    assert follow(here / "mlflow.db") == 1
    assert follow(here / "mlflow.db") == 0
    with sqlite3.connect(here / "mlflow.db") as base:
        assert [row[0] for row in base.execute("SELECT artifact_uri FROM runs")] == list(
            addresses.values()
        )


@pytest.mark.parametrize(
    ("results", "folder", "name"),
    [
        ("results/experiments/a", "results", "experiments/a/toy"),
        ("here/results/experiments/a", "results", "experiments/a/toy"),
        ("elsewhere/results/alice/a", "elsewhere/results/alice/a", "toy"),
    ],
)
def test_only_the_results_of_the_project_share_a_store(
    tmp_path, monkeypatch, results, folder, name
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = Path(results) if results.startswith("results") else tmp_path / results
    expected = Path(folder) if folder == "results" else tmp_path / folder
    assert store_folder(Layout(path)) == expected
    assert experiment_name("toy", Layout(path)) == name


def test_a_record_of_an_earlier_training_stays_when_its_artifacts_are_out_of_reach(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    layout = Layout(Path("results"))
    layout.results.mkdir()
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    first = Store(uri, "toy", "study", layout)
    ident, _ = first.start("run", "key", "trained", {"kind": "run"})
    first.tag(ident, {"key": "key"})
    second = Store(uri, "toy", "study", layout)
    assert ident in second.lost
    second.start("run", "other key", "trained again", {"kind": "run"})
    kept = second.client.get_run(ident)
    assert (kept.info.lifecycle_stage, kept.data.tags["current"]) == ("active", "False")
