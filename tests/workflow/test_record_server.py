"""Recording against a real `mlflow server`: down at first, killed half-way, two at once."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from avfusion.layout import Layout
from avfusion.runs.files import read_settings
from avfusion.tracking.record import record_corpus
from support.mlflow_server import free_port, server
from support.recorded_study import features_table, write_study

pytestmark = pytest.mark.slow


@pytest.fixture
def layout(tmp_path, monkeypatch, project):
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Layout(tmp_path / "results")


def avf_record(layout, study, address):
    """Start `avf record`, as the rule calls it, told of the server by the environment."""
    path = layout.results / "record.json"
    path.write_text(json.dumps(study.record_settings().document()))
    words = ["record", "toy", "--results", str(layout.results), "--settings", str(path)]
    env = {**os.environ, "MLFLOW_TRACKING_URI": address}
    return subprocess.Popen([sys.executable, "-m", "avfusion.cli", *words], env=env)


def stamp(layout):
    return json.loads((layout.results / "mlflow.toy.json").read_text())


def records(address):
    """Every record that is not deleted."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address)
    found = client.get_experiment_by_name("toy")
    return client.search_runs([found.experiment_id]) if found else []


def assert_complete(address, fusions, runs):
    """Each run once, whole, below its fusion, and each fusion below one study."""
    found = {run.data.tags["mlflow.runName"]: run for run in records(address)}
    assert len(found) == len(records(address)) == 1 + fusions + runs
    assert all("key" in run.data.tags for run in found.values())
    parent = {name: run.data.tags.get("mlflow.parentRunId") for name, run in found.items()}
    assert parent.pop("study") is None
    for name, ident in parent.items():
        above = name.partition("/")[0] if "/" in name else "study"
        assert ident == found[above].info.run_id
    trained = [run for name, run in found.items() if "/" in name]
    assert all(run.data.metrics["test/pooled/ccc_mean_low"] for run in trained)


def test_a_server_that_comes_back_gets_everything_by_the_same_command(layout, tmp_path):
    study, port = write_study(layout, fusions={"concat": {}}), free_port()
    address = f"http://127.0.0.1:{port}"
    assert avf_record(layout, study, address).wait() == 0, "the study does not fail"
    assert stamp(layout)["recorded"] is False
    with server(tmp_path / "server", port):
        assert avf_record(layout, study, address).wait() == 0
        assert stamp(layout).pop("view").startswith(address)
        made = stamp(layout)
        assert made.pop("shows"), "which runs the store shows"
        assert made | {"store": "", "view": ""} == {
            "corpus": "toy", "store": "", "recorded": True, "runs": 2, "new": 2, "view": "",
            "model": "models:/avfusion-toy/1",
        }  # fmt: skip
        assert_complete(address, fusions=1, runs=2)
        assert_served(layout, address)
    with server(tmp_path / "server", port):
        assert avf_record(layout, study, address).wait() == 0
        assert stamp(layout)["new"] == 0, "the server kept it"


def assert_served(layout, address):
    """The registered model comes out of the server's own artifact store."""
    code = (
        "import sys, mlflow, pandas as pd; "
        "model = mlflow.pyfunc.load_model('models:/avfusion-toy@best'); "
        "assert len(model.predict(pd.read_parquet(sys.argv[1])).dropna()) > 0"
    )
    settings = read_settings(layout.run("toy", "concat", 0))
    path = layout.results / "features.parquet"
    features_table(layout, settings).to_parquet(path)
    env = {**os.environ, "MLFLOW_TRACKING_URI": address}
    subprocess.run([sys.executable, "-c", code, str(path)], env=env, check=True)


def test_killed_half_way_and_started_twice_it_leaves_each_run_once(layout, tmp_path):
    study = write_study(layout, seeds=[0, 1, 2])
    with server(tmp_path / "server", free_port()) as address:
        killed = avf_record(layout, study, address)
        while len(records(address)) < 4:  # the study and three of six runs
            assert killed.poll() is None, "it was to be killed before its end"
            time.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert any("key" not in run.data.tags for run in records(address)), "cut short"

        both = [avf_record(layout, study, address) for _ in range(2)]
        assert [one.wait() for one in both] == [0, 0]
        assert_complete(address, fusions=2, runs=6)
        assert stamp(layout)["new"] == 0, "the second found everything done by the first"


def test_a_password_in_the_address_is_not_written_down(layout, caplog):
    write_study(layout, fusions={"concat": {}}, seeds=[0])
    record_corpus("toy", None, layout, f"http://someone:secret@127.0.0.1:{free_port()}")
    assert "secret" not in caplog.text + json.dumps(stamp(layout))
