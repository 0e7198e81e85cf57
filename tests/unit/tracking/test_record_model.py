"""The best checkpoint is registered once, and serves from a table what training wrote."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pandas as pd
import pytest

from avfusion.config.jobs import TrainedSettings
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.registry import fusions
from avfusion.runs.serve import Served
from avfusion.tracking.model import code_of
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

FUSION = '''
from torch import nn

from avfusion.fusion.base import Fused
from .layers import Project


class Mean(nn.Module):
    """The mean of both modalities after a linear layer each."""

    def __init__(self, audio_dim, video_dim, *, steps, width: int = 8):
        super().__init__()
        self.audio, self.video = Project(audio_dim, width), Project(video_dim, width)
        self.out_dim = width

    def forward(self, audio, video, audio_present, video_present):
        return Fused((self.audio(audio) + self.video(video)) / 2, {})
'''
LAYERS = "from torch import nn\n\n\nclass Project(nn.Linear):\n    pass\n"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A package outside avfusion, with a fusion and an entry point."""
    package, info = tmp_path / "site" / "lab", tmp_path / "site" / "lab-1.2.dist-info"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "fusions.py").write_text(FUSION)
    (package / "layers.py").write_text(LAYERS)
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[avfusion.fusions]\nlab_mean = lab.fusions:Mean\n")
    (info / "top_level.txt").write_text("lab\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    fusions.__dict__.pop("_installed", None)
    yield
    fusions.__dict__.pop("_installed", None)
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        del sys.modules[name]


@pytest.fixture
def layout(tmp_path, monkeypatch, project):
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Layout(tmp_path / "results")


def record(layout, study):
    record_corpus("toy", study.record_settings(), layout)
    stamp = json.loads((layout.results / "mlflow.toy.json").read_text())
    assert stamp["recorded"], stamp
    return stamp["model"]


def registry(layout):
    from mlflow import MlflowClient

    uri = f"sqlite:///{layout.results / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    return client, client.search_model_versions("name = 'avfusion-toy'")


def serve(layout, table, folder):
    """Predictions of the registered model, loaded in a process that cannot import avfusion."""
    table.to_parquet(folder / "features.parquet")
    env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{layout.results / 'mlflow.db'}"}
    env.pop("PYTHONPATH", None)
    words = [str(folder / "features.parquet"), str(folder / "served.parquet")]
    subprocess.run([sys.executable, "-c", LOAD, *words], env=env, cwd=folder, check=True)
    return table[["video", "time_s"]].join(pd.read_parquet(folder / "served.parquet"))


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
    settings = TrainedSettings.model_validate(load_weights(folder / "best.safetensors")[1])
    table = features_table(layout, settings).sample(frac=1, random_state=0)
    both = serve(layout, table, tmp_path)
    both = both.merge(pd.read_parquet(folder / "traces.parquet"), on=["video", "time_s"])
    assert len(both) == len(table)
    for name in ("valence", "arousal"):
        assert (both[f"{name}_x"] - both[f"{name}_y"]).abs().max() <= 1e-6
    stored = {p.suffix for p in (layout.results / "mlartifacts").rglob("*") if p.is_file()}
    assert not stored & {".pkl", ".pickle", ".pt", ".pth"}, "nothing that runs code when loaded"


@pytest.mark.slow
@pytest.mark.parametrize("entry", [{"lab_mean": {}}, {"mine": {"is": "lab.fusions:Mean"}}])
def test_a_fusion_of_another_package_is_served_without_it(layout, lab, tmp_path, entry):
    """The model holds the package's modules, and the entry point that the registry needs."""
    study = write_study(layout, fusions=entry, seeds=[0])
    assert record(layout, study) == "models:/avfusion-toy/1"
    name = next(iter(entry))
    client, (version,) = registry(layout)
    run = client.get_run(version.run_id)
    assert json.loads(run.data.tags["outside"]) == {f"fusion {name}": "lab.fusions:Mean 1.2"}
    folder = layout.run("toy", name, 0)
    table = features_table(layout, Served.open(folder / "best.safetensors").settings)
    both = serve(layout, table, tmp_path).merge(
        pd.read_parquet(folder / "traces.parquet"), on=["video", "time_s"]
    )
    assert len(both) == len(table)
    assert (both["valence_x"] - both["valence_y"]).abs().max() <= 1e-6


def test_modules_next_to_a_fusion_in_one_file_are_copied_with_it(tmp_path, monkeypatch):
    """They belong to no distribution, so the packages that they import are requirements."""
    work, copied = tmp_path / "work", tmp_path / "copied"
    (work / "parts").mkdir(parents=True)
    text = FUSION.replace("from .layers", "from parts.layers")
    (work / "alone.py").write_text(f"import scipy\n{text}")
    (work / "parts/__init__.py").write_text("import steps\n")
    (work / "parts/layers.py").write_text(LAYERS)
    (work / "steps.py").write_text("")
    (work / "unused.py").write_text("")
    monkeypatch.syspath_prepend(str(work))
    copied.mkdir()
    names = {path.name for path in code_of("alone:Mean").copy(copied)}
    assert names == {"alone-0.dist-info", "alone.py", "avfusion", "parts", "steps.py"}
    assert (copied / "parts/layers.py").read_text() == LAYERS
    assert f"scipy=={version('scipy')}" in code_of("alone:Mean").requirements()


def test_requirements_are_those_of_a_distribution_with_another_name(tmp_path, monkeypatch):
    site = tmp_path / "site"
    package, info = site / "labpart", site / "lab_tools-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "fusions.py").write_text("class Mean:\n    pass\n")
    stated = "Requires-Dist: sympy>=1.9\nRequires-Dist: torch>=2\nRequires-Dist: x; extra == 'y'\n"
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: lab-tools\nVersion: 1.0\n{stated}"
    )
    (info / "top_level.txt").write_text("labpart\n")
    monkeypatch.syspath_prepend(str(site))
    added = [line for line in code_of("labpart.fusions:Mean").requirements() if "==" not in line]
    assert added == ["sympy>=1.9"]


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
    table = features_table(layout, served.settings)
    with pytest.raises(AvfError, match="lacks 1 of 34 columns, such as 'video_7'"):
        served.predict(table.drop(columns="video_7"))
    with pytest.raises(AvfError, match=r"'test_00': the row after 0\.48 s is at 0\.8 s"):
        served.predict(table.drop(table.query("video == 'test_00'").index[3]))
