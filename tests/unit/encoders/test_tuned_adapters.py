"""Networks of timm and torchvision: blocks, frozen as the library computes, tuned on a corpus."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from avfusion.config.study import Study
from avfusion.encoders import base
from avfusion.encoders.backbones.library import stages
from avfusion.encoders.job import Job
from avfusion.encoders.stage import encode_shard, fit
from avfusion.encoders.torchvision_model import without_classifier
from avfusion.errors import AvfError, ConfigError
from avfusion.lineage.commands import steps
from avfusion.media.clips import pool_clips
from avfusion.media.store import MediaRecord
from avfusion.training import distributed, loop
from avfusion.training.checkpoint import load_weights
from support import synthetic_media as media
from support import tiny_models

MODELS = {
    "timm": {"model": "test_resnet", "crop_px": 32},
    "torchvision": {"model": "shufflenet_v2_x0_5", "crop_px": 32},
    "clips": {"model": "mc3_18", "crop_px": 32, "frames": 4},
}
LAST = {"timm": ("layer4.",), "torchvision": ("conv5.",), "clips": ("layer4.",)}
FIT = {"epochs": 1, "most": 6, "batch": 3, "lr": 1e-2, "fit_hz": 1.0}
END_S = np.array([2.0])


def class_of(name: str) -> str:
    return "torchvision" if name == "clips" else name


def settings(name: str, **options):
    given = media.settings(class_of(name), **MODELS[name], **options)
    return given.updated(encoder="mine")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Path of a file of weights of each model; made on first use."""
    folder, made = tmp_path_factory.mktemp("files"), {}

    def path(name: str) -> str:
        pytest.importorskip(class_of(name))
        if name not in made:
            write = {"timm": tiny_models.write_timm, "torchvision": tiny_models.write_torchvision}
            suffix = {"timm": "safetensors", "torchvision": "pth"}[class_of(name)]
            file = folder / f"{name}.{suffix}"
            made[name] = str(write[class_of(name)](MODELS[name]["model"], file))
        return made[name]

    return path


@pytest.fixture
def corpus(tmp_path):
    return media.make_corpus(tmp_path / "results", {"train": 2, "validation": 1}, seconds=3)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    rng = np.random.default_rng(3)
    return media.make_record(tmp_path_factory.mktemp("one") / "record", media.course(rng, 3), rng)


def direct(name: str, path: str):
    """The network of the library, made and loaded without avfusion; the classifier is removed."""
    if class_of(name) == "timm":
        net = pytest.importorskip("timm").create_model(MODELS[name]["model"], num_classes=7)
        net.load_state_dict(load_file(path))
        net.reset_classifier(0)
    else:
        net = pytest.importorskip("torchvision").models.get_model(MODELS[name]["model"])
        net.load_state_dict(torch.load(path, weights_only=True))
        net.fc = nn.Identity()
    return net.eval()


@pytest.mark.parametrize("name", MODELS)
def test_a_frozen_network_gives_the_bits_of_the_library(name, files, record):
    encoder = base.build(settings(name, path=files(name)))
    assert not encoder.fitted
    clip_s = media.WINDOWS["clip_s"]
    frames, faces = next(encoder.read(record, END_S, clip_s))  # bits depend on the batch
    inputs = encoder.pictures.prepared(faces)
    with torch.inference_mode():
        given = inputs.transpose(1, 2) if name == "clips" else inputs
        rows = direct(name, files(name))(given).numpy()
    if name != "clips":
        rows = pool_clips(record.frames["time_s"].to_numpy()[frames], rows, END_S, clip_s)
    found = encoder.encode(record, END_S, clip_s)
    np.testing.assert_array_equal(found, rows)
    assert found.std() > 0


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_changes_only_the_last_blocks_and_the_output_layer(name, files, corpus, record):
    """Running means and deviations of frozen blocks stay too."""
    given = settings(name, path=files(name), blocks=1, **FIT)
    encoder = base.build(given)
    assert encoder.fitted
    fit("tiny", given, corpus)
    folder = corpus.encoder("tiny", "mine")
    weights, document = load_weights(folder / "best.safetensors")
    before = direct(name, files(name)).state_dict()
    assert {f"backbone.net.{key}" for key in before} == {k for k in weights if "rate." not in k}
    for key, x in before.items():
        tuned = key.startswith(LAST[name])
        assert torch.equal(weights[f"backbone.net.{key}"], x) == (not tuned), key
    assert document["weights"]["sha256"] == encoder.file.sha256
    assert document["weights"]["preprocessing"]["crop_px"] == 32
    encode_shard("tiny", (0, 1), given, corpus)
    rows = np.load(corpus.features("tiny", "mine") / "train_0.npy").astype(float)
    assert rows.shape[1] == encoder.dim
    assert np.isfinite(rows).all()
    assert rows.std(0).max() > 0
    frozen = base.build(settings(name, path=files(name)))
    train = MediaRecord.open(corpus.media("tiny") / "train_0")
    ends_s = np.arange(1, len(rows) + 1) * media.WINDOWS["hop_s"]
    assert np.abs(frozen.encode(train, ends_s, media.WINDOWS["clip_s"]) - rows).max() > 1e-3


def test_blocks_are_released_last_first_at_two_rates(files, corpus):
    options = {"path": files("timm"), "blocks": 2, "head_lr": 3e-2, **FIT, "epochs": 3}
    options |= {"release": 2, "release_when": "epochs", "release_after": 1}
    given = settings("timm", **options)
    fit("tiny", given, corpus)
    folder = corpus.encoder("tiny", "mine")
    assert pd.read_csv(folder / "epochs.csv")["stage"].tolist() == [0, 1, 2]
    before = direct("timm", files("timm")).state_dict()
    changed = []
    for stage in range(3):
        raw = (folder / f"stage{stage}" / "state.pt").read_bytes().partition(b"\n")[2]
        (folder / "raw.pt").write_bytes(raw)
        state = torch.load(folder / "raw.pt", weights_only=True)
        groups = state["updates"]["optimiser"]["param_groups"]
        assert [group["lr"] for group in groups] == pytest.approx([1e-2, 3e-2])
        assert [len(group["params"]) for group in groups] == [
            len(list(direct("timm", files("timm")).parameters())),
            2,
        ]
        pairs = ((key, state["model"][f"backbone.net.{key}"]) for key in before)
        other = {key.partition(".")[0] for key, x in pairs if not torch.equal(x.cpu(), before[key])}
        changed.append(other)
    assert changed == [set(), {"layer4"}, {"layer3", "layer4"}]


def test_a_killed_fit_goes_on_to_the_same_bits(files, tmp_path, monkeypatch):
    given = settings("timm", path=files("timm"), blocks=2, **FIT | {"epochs": 2})
    whole, killed = (
        media.make_corpus(tmp_path / n, {"train": 2, "validation": 1}, 3) for n in "ab"
    )
    fit("tiny", given, whole)
    save = loop.save_state

    def save_then_die(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        fit("tiny", given, killed)
    monkeypatch.undo()
    fit("tiny", given, killed)
    for name in ("best.safetensors", "epochs.csv"):
        one, other = (layout.encoder("tiny", "mine") / name for layout in (whole, killed))
        assert one.read_bytes() == other.read_bytes()


def test_a_network_without_a_file_is_trained_from_new_weights_of_its_seed(corpus):
    pytest.importorskip("timm")
    given = settings("timm", **FIT)
    encoder = base.build(given)
    assert encoder.fitted
    fit("tiny", given, corpus)
    folder = corpus.encoder("tiny", "mine")
    first = (folder / "best.safetensors").read_bytes()
    document = json.loads((folder / "settings.json").read_text())
    assert document["preprocessing"]["crop_px"] == 32
    for file in folder.iterdir():
        file.unlink()
    fit("tiny", given, corpus)
    assert (folder / "best.safetensors").read_bytes() == first


@pytest.mark.parametrize("name", ["timm", "torchvision"])
def test_blocks_that_do_not_exist_or_would_stay_random_are_refused(name, files):
    path = files(name)
    with pytest.raises(ConfigError, match=r"mine: `blocks` must be 0 to 5, found 6"):
        base.build(settings(name, path=path, blocks=6))
    with pytest.raises(ConfigError, match=r"others would keep random weights\. Set .*mine\.path"):
        base.build(settings(name, blocks=4))
    with pytest.raises(ConfigError, match=r"`flip` must be 0 to 1"):
        base.build(settings(name, path=path, flip=2.0))


def test_a_frozen_network_is_not_fitted_and_keeps_its_note(files, corpus):
    given = settings("timm", path=files("timm"), blocks=0)
    with pytest.raises(AvfError, match="is pretrained"):
        fit("tiny", given, corpus)
    note = Job("tiny", given, corpus).weights_sha256
    assert set(note) == {"file", "sha256", "preprocessing"}
    document = json.loads((corpus.encoder("tiny", "mine") / "settings.json").read_text())
    assert document == {"settings": given.lasting, "weights": json.loads(json.dumps(note))}


@pytest.mark.parametrize("name", ["timm", "torchvision"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [({"path": "a.pth"}, False), ({"path": "a.pth", "blocks": 2}, True), ({}, True)],
)
def test_the_config_tells_whether_the_network_is_fitted(name, options, expected):
    study = Study(
        corpora={"demo": {"root": "data/demo"}},
        fusions={"concat": {}},
        features={"video": ["mine"]},
        encoders={"mine": {"is": name, "model": "resnet18", "frame_hz": 6.25, **options}},
    )
    assert study.fitted("mine") is expected
    assert study.read_hz() == 6.25
    commands = [step.words for step in steps("demo", study, "results")]
    assert ("avf fit-encoder demo mine" in commands) is expected


@pytest.mark.parametrize(
    ("name", "count", "last"),
    [
        ("resnet18", 5, ["layer4", "avgpool", "fc"]),
        ("convnext_tiny", 8, ["features.7", "avgpool", "classifier"]),
        ("densenet121", 8, ["features.denseblock4", "features.norm5", "classifier"]),
        ("vgg11", 10, ["classifier.3", "classifier.4", "classifier.5", "classifier.6"]),
        ("vit_b_16", 13, ["encoder.layers.encoder_layer_11", "encoder.ln", "heads"]),
        ("r3d_18", 5, ["layer4", "avgpool", "fc"]),
    ],
)
def test_blocks_are_the_stages_of_a_network(name, count, last):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        net = torchvision.models.get_model(name)
    without_classifier(net)
    blocks = stages(net)
    assert (len(blocks), blocks[-1]) == (count, last)


def test_weights_outside_all_parts_belong_to_the_first_block():
    """Such as position embeddings, which stay frozen with the patches."""
    pytest.importorskip("timm")
    given = media.settings("timm", model="test_vit", crop_px=160, epochs=1)
    encoder = base.build(given)
    net = encoder.new_net(given)
    sizes = [sum(x.numel() for x in block.parameters()) for block in net.backbone.blocks()]
    assert sum(sizes) == sum(x.numel() for x in net.backbone.parameters())
    first = {id(x) for x in net.backbone.blocks()[0].parameters()}
    assert {id(net.backbone.net.pos_embed), id(net.backbone.net.cls_token)} <= first


def test_several_processes_refuse_layers_that_read_a_part_of_the_batch(monkeypatch):
    monkeypatch.setattr(distributed, "count", lambda: 2)
    monkeypatch.setattr(distributed.device, "chosen", lambda: SimpleNamespace(type="cpu"))

    class BatchNormAct2d(nn.BatchNorm2d):
        pass

    net = nn.Sequential(BatchNormAct2d(3), nn.Dropout2d(0.2), nn.Dropout2d(0.0))
    text = r"BatchNormAct2d, Dropout2d would read only a part .*`processes: 1`"
    with pytest.raises(ConfigError, match=text):
        distributed.of_whole_batches(net)
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout2d(0.0), nn.Dropout(0.3), nn.LayerNorm(3))
    distributed.of_whole_batches(net)


def test_one_process_drops_the_paths_that_torchvision_drops(monkeypatch):
    ops = pytest.importorskip("torchvision").ops
    x = torch.randn(16, 3, 4, 4)
    net = nn.Sequential(ops.StochasticDepth(0.4, "row"), ops.StochasticDepth(0.0, "row"))
    torch.manual_seed(5)
    expected = net(x)
    monkeypatch.setattr(distributed, "count", lambda: 2)
    distributed.of_whole_batches(net)
    monkeypatch.setattr(distributed, "count", lambda: 1)
    torch.manual_seed(5)
    assert torch.equal(net(x), expected)
    assert not torch.equal(expected, x)
    assert torch.equal(net.eval()(x), x)
