"""Recording through Snakemake itself: the server is down while a study runs, then back."""

import json

import pytest

from support.dvc_project import Project
from support.mlflow_server import free_port, server

ALL = ("--cores", "2", "--quiet", "host", "rules", "reason", "--", "all")


@pytest.mark.slow
def test_a_study_without_its_server_is_whole_says_what_is_pending_and_is_recorded_next(
    finished, tmp_path
):
    here, port = Project.new(tmp_path / "study", finished("tiny")), free_port()
    here.env["MLFLOW_TRACKING_URI"] = address = f"http://127.0.0.1:{port}"
    stamp = here.folder / "results/mlflow.demo.json"
    for path in (here.folder / "results").glob("mlflow*"):
        path.unlink()

    printed = here.run("snakemake", *ALL)  # fails the test if the study fails
    assert "not recorded in" in printed
    end = printed[printed.rindex("steps (100%) done") :]
    assert "demo: all results are there; showing them in MLflow is PENDING" in end
    assert "Run `snakemake all` again, or `avf record demo`" in end
    table = (here.folder / "results/tables/scores.csv").read_bytes()
    assert b"ca" in table
    assert json.loads(stamp.read_text())["recorded"] is False

    with server(tmp_path / "server", port):
        assert here.jobs() == {"all": 1, "record": 1, "total": 2}, "nothing else is due"
        printed = here.run("snakemake", *ALL)
        assert "PENDING" not in printed
        said = json.loads(stamp.read_text())
        assert (said["recorded"], said["runs"], said["new"]) == (True, 3, 3)
        runs = ["ca", "ca/seed0", "concat", "concat/seed0", "ridge", "ridge/seed0"]
        assert names(address) == [*runs, "study"]
        assert here.jobs() == {}
    assert (here.folder / "results/tables/scores.csv").read_bytes() == table


def names(address: str) -> list[str]:
    """Every record on the server, by the name it is shown under."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address)
    found = client.get_experiment_by_name("demo").experiment_id
    return sorted(run.data.tags["mlflow.runName"] for run in client.search_runs([found]))
