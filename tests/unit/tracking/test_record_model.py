"""The best checkpoint is registered once, and serves from a table what training wrote."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.runs.serve import Served
from avfusion.tracking.record import record_corpus
from avfusion.training.checkpoint import load_weights
from support.recorded_study import features_table, write_study

LOAD = """
import sys, mlflow, pandas as pd
assert "avfusion" not in sys.modules
model = mlflow.pyfunc.load_model("models:/avfusion-toy@best")
import avfusion
assert "mlartifacts" in avfusion.__file__, avfusion.__file__
model.predict(pd.read_parquet(sys.argv[1])).to_parquet(sys.argv[2])
"""


@pytest.fixture
def layout(tmp_path, monkeypatch, project):
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Layout(tmp_path / "results")


def record(layout, study):
    record_corpus("toy", layout, None, study.record_settings())
    said = json.loads((layout.results / "mlflow.toy.json").read_text())
    assert said["recorded"], said
    return said["model"]


def registry(layout):
    from mlflow import MlflowClient

    uri = f"sqlite:///{layout.results / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    return client, client.search_model_versions("name = 'avfusion-toy'")


def plant(layout, partition, fusion, seed, value):
    """Set a run's pooled mean score by hand."""
    path = layout.scores("toy") / "scores.parquet"
    table = pd.read_parquet(path)
    run = (table["fusion"] == fusion) & (table["seed"] == seed) & (table["target"] == "mean")
    table.loc[run & (table["protocol"] == "pooled") & (table["partition"] == partition), "ccc"] = (
        value
    )
    table.to_parquet(path)


@pytest.mark.slow
def test_the_best_on_validation_is_served_in_another_process_as_training_wrote_it(layout, tmp_path):
    study = write_study(layout)
    plant(layout, "validation", "concat", 1, 0.98)
    plant(layout, "test", "concat", 0, 0.99)  # must not be looked at
    assert record(layout, study) == "models:/avfusion-toy/1"
    _, (version,) = registry(layout)
    assert version.tags["run"] == "concat/seed1"
    assert "## Limits" in version.description

    folder = layout.run("toy", "concat", 1)
    own = load_weights(folder / "best.safetensors")[1]
    table = features_table(layout, own).sample(frac=1, random_state=0)
    table.to_parquet(tmp_path / "features.parquet")
    env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{layout.results / 'mlflow.db'}"}
    env.pop("PYTHONPATH", None)
    words = [str(tmp_path / "features.parquet"), str(tmp_path / "served.parquet")]
    subprocess.run([sys.executable, "-c", LOAD, *words], env=env, cwd=tmp_path, check=True)
    served = pd.read_parquet(tmp_path / "served.parquet")
    both = table[["video", "time_s"]].join(served)
    both = both.merge(pd.read_parquet(folder / "traces.parquet"), on=["video", "time_s"])
    assert len(both) == len(table)
    for name in ("valence", "arousal"):
        assert (both[f"{name}_x"] - both[f"{name}_y"]).abs().max() <= 1e-6
    stored = {p.suffix for p in (layout.results / "mlartifacts").rglob("*") if p.is_file()}
    assert not stored & {".pkl", ".pickle", ".pt", ".pth"}, "nothing that runs code when loaded"


@pytest.mark.slow
def test_a_version_is_made_once_and_the_alias_follows_the_best(layout):
    study = write_study(layout, fusions={"concat": {}})
    plant(layout, "validation", "concat", 0, 0.9)
    assert record(layout, study) == "models:/avfusion-toy/1"
    assert record(layout, study) == "models:/avfusion-toy/1"
    plant(layout, "validation", "concat", 1, 0.95)
    assert record(layout, study) == "models:/avfusion-toy/2"
    plant(layout, "validation", "concat", 1, 0.1)
    assert record(layout, study) == "models:/avfusion-toy/1", "back to the former, made already"
    client, versions = registry(layout)
    assert len(versions) == 2
    assert client.get_model_version_by_alias("avfusion-toy", "best").version == 1

    (layout.results / "mlflow.id").write_text("of another study\n")
    plant(layout, "validation", "concat", 0, 0.05)
    plant(layout, "validation", "concat", 1, 0.1)
    path = layout.run("toy", "concat", 1) / "best.safetensors"
    path.write_bytes((layout.run("toy", "concat", 0) / "best.safetensors").read_bytes())
    record(layout, study)
    client, versions = registry(layout)
    assert client.get_model_version_by_alias("avfusion-toy", "best").version == 1


def test_a_table_that_does_not_fit_is_refused_with_what_is_wrong(layout):
    study = write_study(layout, fusions={"concat": {}}, seeds=[0])
    folder = layout.run("toy", next(iter(study.fusions)), 0)
    served = Served.open(folder / "best.safetensors")
    table = features_table(layout, served.own)
    with pytest.raises(AvfError, match="lacks 1 of 34 columns, such as 'video_7'"):
        served.predict(table.drop(columns="video_7"))
    with pytest.raises(AvfError, match=r"'test_00': the row after 0\.48 s lies at 0\.8 s"):
        served.predict(table.drop(table.query("video == 'test_00'").index[3]))
