"""A study that was moved, copied, pulled and switched runs nothing, and MLflow serves its model."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avfusion.layout import Layout
from avfusion.runs.serve import Served
from support.dvc_project import Project
from support.recorded_study import features_table

ALL = ("--cores", "2", "--quiet", "host", "rules", "reason", "--", "all")
SERVE = """
import sys
from pathlib import Path
import mlflow, pandas as pd

mlflow.set_tracking_uri("sqlite:///results/mlflow.db")
version = mlflow.MlflowClient().get_model_version_by_alias("avfusion-demo", "best")
assert version.source.startswith(Path.cwd().as_uri()), version.source
model = mlflow.pyfunc.load_model("models:/avfusion-demo@best")
model.predict(pd.read_parquet("features.parquet")).to_parquet("served.parquet")
print(version.tags["run"])
"""


def served(study: Project) -> tuple[str, pd.DataFrame]:
    """The run whose model MLflow serves, and its predictions, in a process of its own."""
    layout = Layout(study.folder / "results")
    some = Served.open(layout.run("demo", "ca", 0) / "best.safetensors")
    videos = pd.read_parquet(layout.run("demo", "ca", 0) / "traces.parquet")["video"].unique()
    table = features_table(layout, some.settings, list(videos))
    table.to_parquet(study.folder / "features.parquet")
    env = {name: value for name, value in study.env.items() if name != "PYTHONPATH"}
    words = [sys.executable, "-W", "ignore", "-c", SERVE]
    done = subprocess.run(
        words, cwd=study.folder, env=env, text=True, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    found = pd.read_parquet(study.folder / "served.parquet")
    return done.stdout.strip(), table[["video", "time_s"]].join(found)


def trained(study: Project, run: str) -> pd.DataFrame:
    """The predictions that training wrote."""
    return pd.read_parquet(study.folder / "results/runs/demo" / run / "traces.parquet")


def assert_served(study: Project, run: str, original: pd.DataFrame) -> None:
    """MLflow serves this run, with the predictions of the original."""
    name, found = served(study)
    assert name == run
    both = found.merge(original, on=["video", "time_s"])
    assert len(both) == len(found) == len(original)
    for target in ("valence", "arousal"):
        np.testing.assert_allclose(both[f"{target}_x"], both[f"{target}_y"], atol=1e-6)


def without_dates(source: str, target: str) -> None:
    """Copy a file with a date of its own, in no order."""
    shutil.copyfile(source, target)
    date = 1.7e9 + random.Random(target).random() * 1e6
    os.utime(target, (date, date))


@pytest.fixture
def first(finished, tmp_path):
    """The finished tiny study in a folder of its own, and which run its MLflow serves."""
    study = Project.new(tmp_path / "first", finished("tiny"))
    study.run("avf", "adopt")
    return study


@pytest.mark.slow
def test_a_study_that_was_moved_and_then_copied_runs_nothing_and_serves_its_model(first, tmp_path):
    run, _ = served(first)
    original = trained(first, run)
    moved = Project(Path(shutil.move(first.folder, tmp_path / "moved, elsewhere")))
    assert moved.jobs() == {}
    moved.run("avf", "adopt")
    assert moved.jobs() == {}
    assert_served(moved, run, original)

    copied = Project(tmp_path / "copied")
    skip = shutil.ignore_patterns(".snakemake")
    shutil.copytree(moved.folder, copied.folder, True, skip, copy_function=without_dates)
    assert "STALE" not in copied.run("avf", "adopt")
    assert copied.jobs() == {}
    assert_served(copied, run, original)


@pytest.mark.long
def test_a_study_that_was_pulled_and_switched_four_times_runs_nothing_and_serves_its_model(
    first, tmp_path
):
    first.run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    first.run("dvc", "commit", "-q", "--force")
    first.commit("results")
    first.run("dvc", "push", "-q")
    run, _ = served(first)

    there = first.clone(tmp_path / "theirs")
    there.run("dvc", "pull", "-q")
    assert "STALE" not in there.run("avf", "adopt")
    assert there.jobs() == {"all": 1, "record": 1, "total": 2}, "its MLflow store is empty"
    there.run("snakemake", *ALL)
    assert there.jobs() == {}
    original = trained(first, run)
    assert_served(there, run, original)

    there.run("git", "switch", "-q", "-c", "second")
    there.edit("config/config.yaml", "  ca: {}", "  ca: {}\n  ridge: {modalities: [audio]}")
    there.run("snakemake", *ALL)
    there.run("dvc", "commit", "-q", "--force")
    there.commit("a baseline on audio")
    other, _ = served(there)
    best = {"main": (run, original), "second": (other, trained(there, other))}
    assert not best["second"][1].equals(original), "the best model of the branch is another one"
    for branch in ("main", "second", "main", "second"):
        there.run("git", "switch", "-q", branch)
        there.run("dvc", "checkout", "-q")
        assert "STALE" not in there.run("avf", "adopt")
        assert there.jobs() == {}
        assert_served(there, *best[branch])
