"""ONNX graphs give the numbers of PyTorch; what has none is named with the reason."""

import shutil
import sys

import numpy as np
import pytest
import torch
from torch import nn

from avfusion import cli
from avfusion.errors import BundleError
from avfusion.features.store import FeatureStore
from avfusion.layout import Layout
from avfusion.models.model import build
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.export import Job, export, of_encoder, of_model, written
from avfusion.prediction.make import make
from avfusion.prediction.members import member_rows
from avfusion.rating import Rating
from avfusion.registry import fusions
from support.fusions import AUDIO, STEPS, VIDEO, model_settings
from support.tiny_bundle import CORPUS, FUSION, tiny_study

USUAL = ["audio", "video", "concat", "ca", "jca"]
"""The fusions of config/config.yaml."""


@pytest.fixture(scope="module")
def exported(place, bundle, tmp_path_factory):
    pytest.importorskip("onnxscript")
    layout = Layout(place / "results")
    runs = [layout.run(CORPUS, FUSION, 0).parent]
    out = tmp_path_factory.mktemp("onnx") / "bundle"
    return make(runs, out, tiny_study(place), layout, onnx=True)


def run(bundle, graph, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(bundle.path(graph.file).read_bytes())
    return session.run([graph.output], inputs)[0]


@pytest.mark.slow
def test_members_predict_the_windows_of_a_video_as_pytorch_does(exported, place):
    document = exported.document
    assert document.onnx.left_out == {}
    assert [g.file.path for g in document.onnx.members] == [
        f"onnx/members/{n}.onnx" for n in (0, 1)
    ]
    features = {}
    for name in document.encoders:
        index = Layout(place / "results").features(CORPUS, name) / "index.parquet"
        features[name] = FeatureStore.open(index).load("test_0").rows
    rows = list(member_rows("test_0", exported.members, features))
    for (member, windows), graph in zip(rows, document.onnx.members, strict=True):
        batch = windows.batch(torch.arange(len(windows)))
        assert len(windows) not in (1, 3), "another batch than the traced one"
        with torch.no_grad():
            expected, _ = member.model(*batch.inputs)
        names = ("audio", "video", "audio_present", "video_present")
        inputs = {name: x.numpy() for name, x in zip(names, batch.inputs, strict=True)}
        given = run(exported, graph, inputs)
        np.testing.assert_allclose(given, member.settings.rating.outward(expected), atol=1e-4)
        assert graph.difference <= 1e-4


@pytest.mark.slow
def test_encoders_embed_as_pytorch_does(exported):
    graphs = exported.document.onnx.encoders
    assert set(graphs) == {"mel_cnn", "face_cnn"}
    for name, graph in graphs.items():
        ((given, shape),) = graph.inputs.items()
        x = 20 * torch.randn(7, *shape[1:], generator=torch.Generator().manual_seed(9))
        expected = exported.encoders[name].embed(x)
        np.testing.assert_allclose(run(exported, graph, {given: x.numpy()}), expected, atol=1e-4)


@pytest.mark.slow
def test_graphs_are_part_of_the_bundle(exported, tmp_path):
    for path in exported.folder.rglob("*.onnx"):
        for place in (str(exported.folder.parent), "src/avfusion", "site-packages"):
            assert place.encode() not in path.read_bytes()
    copy = shutil.copytree(exported.folder, tmp_path / "copy")
    assert Bundle.open(copy).id == exported.id
    (copy / "onnx/members/1.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"1\.onnx: changed since"):
        Bundle.open(copy)


@pytest.mark.parametrize(
    "name",
    [
        *USUAL,
        *(pytest.param(n, marks=pytest.mark.long) for n in fusions.names() if n not in USUAL),
    ],
)
@pytest.mark.slow
def test_every_fusion_has_a_graph(name, tmp_path):
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    reads_text = "text" in fusions.options(name).get("modalities", "") or name == "text"
    model = build(model_settings(name, {}), AUDIO, VIDEO, *([4] if reads_text else []))
    graph = written(of_model(model.eval(), STEPS, Rating(("a", "b"), 0, 10)), tmp_path, name)
    assert {"audio", "video", "audio_present", "video_present"} <= set(graph.inputs)
    assert (tmp_path / graph.file.path).is_file()


class Branches(nn.Module):
    def forward(self, *inputs):
        return inputs[0] if float(inputs[0].sum()) > 0 else -inputs[0]


class Random(nn.Module):
    def forward(self, *inputs):
        return inputs[0] + torch.rand_like(inputs[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "reason"), [(Branches(), "cannot be exported"), (Random(), "differs from PyTorch by")]
)
def test_a_network_without_a_graph_is_named_with_the_reason(net, reason, tmp_path):
    pytest.importorskip("onnxscript")
    job = Job(net, lambda count: {"x": torch.randn(count, 3)}, "y", 1e-4)
    with pytest.raises(BundleError, match=reason):
        written(job, tmp_path, "odd")
    assert not list(tmp_path.rglob("*.onnx"))


@pytest.mark.slow
def test_what_has_no_graph_is_listed(bundle, tmp_path):
    pytest.importorskip("onnxscript")
    copy = Bundle.open(shutil.copytree(bundle.folder, tmp_path / "copy"))
    entry = copy.document.encoders["face_cnn"]
    settings = entry.settings.updated(class_="face_expression", options={})
    other = entry.model_copy(update={"settings": settings, "weights": None})
    copy.document.encoders["face_cnn"] = other
    graphs = export(copy)
    assert list(graphs.encoders) == ["mel_cnn"]
    assert "the class face_expression has no export" in graphs.left_out["face_cnn"]


def test_an_encoder_of_another_class_is_refused():
    with pytest.raises(BundleError, match="`mel_cnn` and `face_cnn` have one"):
        of_encoder("opensmile", None)


def test_a_missing_package_is_named_with_the_command(place, tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.setitem(sys.modules, "onnx", None)  # as if it were not installed
    run = Layout(place / "results").run(CORPUS, FUSION, 0).parent
    words = ["bundle", str(run), "--onnx", "--out", str(tmp_path / "out")]
    assert cli.main(words) != 0
    said = capsys.readouterr().err + caplog.text
    assert "--onnx: needs the package onnx, which is not installed. Run: make extras" in said
    assert not (tmp_path / "out").exists()
