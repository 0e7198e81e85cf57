"""A bundle is registered once, and predicts clips and features where only its own code is."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from avfusion import cli
from avfusion.errors import AvfError
from avfusion.features.store import FeatureStore
from avfusion.layout import Layout
from avfusion.prediction.api import predict
from avfusion.prediction.frame import columns_of, predict_frame
from avfusion.registry import encoders
from avfusion.runs.files import read_settings, read_traces
from avfusion.tracking.clips import register_bundle
from avfusion.tracking.code import ServedCode
from support.tiny_bundle import CORPUS, FUSION, tiny_bundle, tiny_clip

NAME = "avfusion-tiny-clips"

LOAD = """
import sys
import mlflow
import pandas as pd

if __name__ == "__main__":
    model = mlflow.pyfunc.load_model("models:/avfusion-tiny-clips@best")
    for name in ("clips", "features"):
        table = model.predict(pd.read_parquet(f"{name}.parquet"))
        table.attrs = {}
        table.to_parquet(f"{name}.served.parquet")
    table = model.predict(pd.DataFrame({"path": [sys.argv[1]]}), params={"every_s": 1.0})
    table.attrs = {}
    table.to_parquet("params.served.parquet")
    used = {m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "avfusion"}
    assert used and all("mlartifacts" in file for file in used), used
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def bundle(place):
    return tiny_bundle(place)


@pytest.fixture(scope="module")
def clip(place, bundle):
    return tiny_clip(place / "clip.mp4")


@pytest.fixture
def layout(place, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Layout(tmp_path / "results")


@pytest.fixture
def features(place, bundle):
    """Stored features of two videos, with the columns of the bundle."""
    tables = []
    for video in ("test_0", "validation_0"):
        table = {"video": video}
        for name, columns in columns_of(bundle).items():
            path = Layout(place / "results").features(CORPUS, name) / "index.parquet"
            stored = FeatureStore.open(path).load(video)
            table["time_s"] = stored.times_s
            table |= dict(zip(columns, stored.rows.astype(float).T, strict=True))
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def registry(layout):
    from mlflow import MlflowClient

    uri = f"sqlite:///{layout.results / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    return client, client.search_model_versions(f"name = '{NAME}'")


def decoy(folder):
    """An installed avfusion that cannot be imported, in this process or in one that it starts."""
    package = folder / "site" / "avfusion"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('the installed avfusion')\n")
    return str(package.parent)


@pytest.mark.slow
def test_it_predicts_in_a_process_with_only_its_own_code(bundle, clip, features, layout, tmp_path):
    assert register_bundle(bundle, layout) == f"models:/{NAME}/1"
    shuffled = features.sample(frac=1, random_state=0)
    shuffled.to_parquet(tmp_path / "features.parquet")
    asked = pd.DataFrame({"path": [str(clip)] * 2, "end_s": [np.nan, 2.0], "face": [None, "all"]})
    asked.to_parquet(tmp_path / "clips.parquet")
    (tmp_path / "load.py").write_text(LOAD)
    env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{layout.results / 'mlflow.db'}"}
    env["PYTHONPATH"] = decoy(tmp_path)
    command = [sys.executable, "load.py", str(clip)]
    subprocess.run(command, env=env, cwd=tmp_path, check=True)

    served = pd.read_parquet(tmp_path / "clips.served.parquet")
    parts = predict(clip, bundle), predict(clip, bundle, end_s=2.0, face="all")
    expected = pd.concat(parts, ignore_index=True)
    expected.insert(0, "path", str(clip))
    pd.testing.assert_frame_equal(served, expected, atol=1e-6)
    means = predict(clip, bundle, every_s=1.0).assign(path=str(clip))
    served = pd.read_parquet(tmp_path / "params.served.parquet")
    pd.testing.assert_frame_equal(served, means[served.columns], atol=1e-6)

    served = pd.read_parquet(tmp_path / "features.served.parquet")
    assert list(served.index) == list(shuffled.index)
    pd.testing.assert_frame_equal(served, predict_frame(bundle, shuffled), atol=1e-6)


def test_features_have_the_predictions_that_training_wrote(bundle, place, features):
    layout = Layout(place / "results")
    folders = [layout.run(CORPUS, FUSION, seed) for seed in (0, 1)]
    traces = pd.concat(read_traces(folder, read_settings(folder)) for folder in folders)
    targets = ["valence", "arousal"]
    means = traces.groupby(["video", "time_s"])[targets].mean()
    shuffled = features.sample(frac=1, random_state=1)
    found = shuffled[["video", "time_s"]].join(predict_frame(bundle, shuffled))
    expected = means.loc[list(zip(found["video"], found["time_s"], strict=True))]
    np.testing.assert_allclose(found[targets], expected, atol=1e-6)
    for target in targets:
        assert (found[f"{target}_low"] <= found[target]).all()
    assert found["unlike_training"].notna().any()


def test_doubts_of_each_clip_are_kept(bundle, clip):
    table = predict_frame(bundle, pd.DataFrame({"path": [clip, clip], "every_s": ["", "1"]}))
    first, second = table.attrs["clips"]
    assert first["doubts"] == predict(clip, bundle).attrs["doubts"]
    assert second["clip"]["name"] == clip.name
    assert list(table["time_s"][-3:]) == [1, 2, 3]


def test_a_table_that_does_not_fit_is_refused_with_what_is_wrong(bundle, features):
    def refused(table, options=None):
        with pytest.raises(AvfError) as error:
            predict_frame(bundle, pd.DataFrame(table), options)
        return str(error.value)

    assert "Give clips in a column `path`" in refused({"file": ["a.mp4"]})
    assert "Give two tables" in refused({"path": ["a.mp4"], "video": ["a"]})
    assert "Unknown columns: start." in refused({"path": ["a.mp4"], "start": [1]})
    assert "Unknown options: step_s." in refused({"path": ["a.mp4"]}, {"step_s": 1})
    assert "`start_s` is 'soon'" in refused({"path": ["a.mp4"], "start_s": ["soon"]})
    assert "no such file" in refused({"path": ["a.mp4"]})
    assert "Row 0: `path` is None" in refused({"path": [None]})
    assert "no row" in refused({"path": []})
    assert "lacks 1 of 18 columns" in refused(features.drop(columns="face_cnn_7"))
    assert "only for a table of clips" in refused(features, {"every_s": 1.0})
    assert "1 rows have no `video`" in refused(features.replace({"video": {"test_0": None}}))


@pytest.mark.slow
def test_a_version_is_made_once_and_states_its_origin(bundle, place, layout, capsys):
    words = ["bundle", "--check", str(bundle.folder), "--register"]
    words += ["--results", str(layout.results)]
    assert cli.main(words) == 0
    assert f"models:/{NAME}/1: registered in MLflow" in capsys.readouterr().out
    assert register_bundle(bundle, layout) == f"models:/{NAME}/1"
    client, (version,) = registry(layout)
    assert client.get_model_version_by_alias(NAME, "best").version == 1
    assert version.description == (bundle.folder / "card.md").read_text()[:5000]
    assert version.tags["bundle"] == bundle.id
    assert version.tags["fusion"] == FUSION
    assert version.tags["data_hash"] == bundle.document.corpus.data_hash
    assert client.get_run(version.run_id).data.metrics["validation/pooled/ccc_mean"]
    stored = [p for p in (layout.results / "mlartifacts").rglob("*") if p.is_file()]
    assert not {p.suffix for p in stored} & {".pkl", ".pickle", ".pt", ".pth"}
    (about,) = [path for path in stored if path.name == "MLmodel"]
    assert str(place) not in about.read_text()

    client.delete_model_version_tag(NAME, "1", "key")  # as a kill before the end leaves it
    assert register_bundle(bundle, layout) == f"models:/{NAME}/2"
    assert client.get_model_version_by_alias(NAME, "best").version == 2


@pytest.mark.parametrize(
    "store", ["http://someone:secret@127.0.0.1:9", "sqlite:////proc/none/mlflow.db"]
)
def test_a_dead_store_is_named_and_does_not_fail_the_bundle(bundle, layout, store, caplog):
    assert register_bundle(bundle, layout, store) is None
    assert "secret" not in caplog.text
    command = f"avf bundle --check {bundle.folder} --register --results {layout.results} --store"
    assert command in caplog.text


def test_the_data_of_a_module_is_copied_with_its_licence(tmp_path):
    code = ServedCode(("avfusion.media.voice",), ((encoders, "face_expression"),))
    code.copy(tmp_path)
    copied = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert "avfusion/media/weights/silero_vad_16k_sequence.onnx" in copied
    assert "avfusion/media/weights/LICENSE-silero-vad.txt" in copied
    assert "avfusion/encoders/weights/face_expression.safetensors" in copied
    assert not any(name.startswith("avfusion/corpora/") for name in copied)


def test_packages_that_an_encoder_imports_by_name_are_required():
    pytest.importorskip("timm")
    packages = ServedCode((), ((encoders, "timm"),)).requirements()
    assert any(line.startswith("timm==") for line in packages)
