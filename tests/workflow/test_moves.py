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
model.predict(pd.read_parquet(sys.argv[1])).to_parquet(sys.argv[2])
print(version.tags["run"])
"""


def served(study: Project) -> tuple[str, pd.DataFrame]:
    """The run whose model MLflow serves, and its predictions, in a process of its own."""
    layout = Layout(study.folder / "results")
    some = Served.open(layout.run("demo", "ca", 0) / "best.safetensors")
    videos = pd.read_parquet(layout.run("demo", "ca", 0) / "traces.parquet")["video"].unique()
    table = features_table(layout, some.settings, list(videos))
    read, written = (study.folder.parent / f"{name}.parquet" for name in ("features", "served"))
    table.to_parquet(read)
    env = {name: value for name, value in study.env.items() if name != "PYTHONPATH"}
    words = [sys.executable, "-W", "ignore", "-c", SERVE, str(read), str(written)]
    done = subprocess.run(
        words, cwd=study.folder, env=env, text=True, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), table[["video", "time_s"]].join(pd.read_parquet(written))


def trained(study: Project) -> dict[str, pd.DataFrame]:
    """Run -> the predictions that training wrote."""
    runs = study.folder / "results/runs/demo"
    paths = sorted(runs.glob("*/seed0/traces.parquet"))
    return {path.parent.relative_to(runs).as_posix(): pd.read_parquet(path) for path in paths}


def assert_served(study: Project, original: dict[str, pd.DataFrame]) -> str:
    """MLflow serves a run with the predictions of the original; returns the run."""
    run, found = served(study)
    both = found.merge(original[run], on=["video", "time_s"])
    assert len(both) == len(found) == len(original[run])
    for target in ("valence", "arousal"):
        np.testing.assert_allclose(both[f"{target}_x"], both[f"{target}_y"], atol=1e-6)
    return run


def without_dates(source: str, target: str) -> None:
    """Copy a file with a date of its own, in no order."""
    shutil.copyfile(source, target)
    date = 1.7e9 + random.Random(target).random() * 1e6
    os.utime(target, (date, date))


@pytest.fixture
def first(finished, tmp_path):
    """The finished tiny study in a folder of its own."""
    return Project.new(tmp_path / "first", finished("tiny"))


@pytest.mark.slow
def test_a_study_that_was_moved_and_then_copied_runs_nothing_and_serves_its_model(first, tmp_path):
    original = trained(first)
    moved = Project(Path(shutil.move(first.folder, tmp_path / "moved, elsewhere")))
    assert moved.jobs() == {}
    moved.run("avf", "adopt")
    assert moved.jobs() == {}
    run = assert_served(moved, original)

    copied = Project(tmp_path / "copied")
    skip = shutil.ignore_patterns(".snakemake")
    shutil.copytree(moved.folder, copied.folder, True, skip, copy_function=without_dates)
    printed = copied.run("avf", "adopt")
    assert "files taken over" in printed
    assert "STALE" not in printed
    assert copied.jobs() == {}
    assert assert_served(copied, original) == run


@pytest.mark.long
def test_a_study_that_was_pulled_and_switched_four_times_runs_nothing_and_serves_its_model(
    first, tmp_path
):
    """The second branch has another baseline, which is the best run, or leaves another one best."""
    original = {"main": trained(first)}
    first.run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    first.run("dvc", "commit", "-q", "--force")
    first.commit("results")
    first.run("dvc", "push", "-q")
    there = first.clone(tmp_path / "theirs")
    there.run("dvc", "pull", "-q")
    assert "STALE" not in there.run("avf", "adopt")
    assert there.jobs() == {"all": 1, "record": 1, "total": 2}, "its MLflow store is empty"
    there.run("snakemake", *ALL)
    assert there.jobs() == {}
    best = {"main": assert_served(there, original["main"])}

    there.run("git", "switch", "-q", "-c", "second")
    there.edit("config/config.yaml", "  ca: {}", "  ca: {}\n  ridge: {modalities: [audio]}")
    there.run("snakemake", *ALL)
    there.run("dvc", "commit", "-q", "--force")
    there.commit("a baseline on audio")
    original["second"] = trained(there)
    best["second"] = assert_served(there, original["second"])
    assert not original["main"][best["main"]].equals(original["second"][best["second"]])
    for branch in ("main", "second", "main", "second"):
        there.run("git", "switch", "-q", "-")
        there.run("dvc", "checkout", "-q")
        assert "STALE" not in there.run("avf", "adopt")
        assert there.jobs() == {}
        assert assert_served(there, original[branch]) == best[branch]
