"""Encoders of the papers: files of weights under published names, frozen, tuned, and in a study."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.config import widths
from avfusion.config.study import Study
from avfusion.encoders import base, job, spectra
from avfusion.encoders.backbones import two_stream
from avfusion.encoders.backbones.base import pixels
from avfusion.encoders.job import Job
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.stage import encode_shard, fit
from avfusion.errors import AvfError, ConfigError, TrainError
from avfusion.lineage.commands import steps
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.training.checkpoint import load_weights
from support import synthetic_media as media

WIDTH = 1 / 16
NAMES = [name for name in encoders.names() if "width" in encoders.options(name)]
EXTRA = {  # weights of the published files that are left out, or changed
    "ecapa_tdnn": {},
    "iresnet18": {},
    "vggish": {"pproc.pca_means": torch.ones(2, 1)},
    "cnn2d_spectrogram": {},
    "cnn2d_face": {"fc8.weight": torch.ones(3, 4), "fc8.bias": torch.ones(3)},
    "inception_i3d": {"logits.conv3d.weight": torch.ones(4, 5, 1, 1, 1)},
    "inception_i3d_tcn": {"logits.conv3d.bias": torch.ones(4)},
    "ir50_tcn": {"logits.weight": torch.ones(8, 512), "logits.bias": torch.ones(8)},
    "r2plus1d_two_stream": {"fc.1.weight": torch.ones(17, 1024), "fc.1.bias": torch.ones(17)},
    "resnet18_two_stream": {"fc.1.weight": torch.ones(17, 1024), "fc.1.bias": torch.ones(17)},
}
PREFIX = {
    "r2plus1d_two_stream": "video_model.r2plus1d.",
    "resnet18_two_stream": "audio_model.resnet.",
    "ir50_tcn": "backbone.",
}
FITTED = ("inception_i3d_tcn", "ir50_tcn")


def built(name: str, **options):
    settings = media.settings(name, width=WIDTH, **options)
    return base.build(settings), settings


def write(name: str, path, seed: int = 1) -> dict[str, torch.Tensor]:
    """Write a narrow file under the published names, and return the weights of the network."""
    encoder, settings = built(name)
    torch.manual_seed(seed)
    trunk = encoder.trunk(encoder.new_net(settings))
    state = trunk.state_dict()
    state |= {k: torch.rand_like(x) + 0.5 for k, x in state.items() if k.endswith("running_var")}
    state |= {k: torch.randn_like(x) / 9 for k, x in state.items() if k.endswith("running_mean")}
    tensors = {PREFIX.get(name, "") + key: x for key, x in state.items()} | EXTRA[name]
    if name == "ecapa_tdnn":  # the names of its file
        tensors = {key.replace("layers.", "blocks."): x for key, x in tensors.items()}
    if name == "r2plus1d_two_stream":
        stem = tensors[f"{PREFIX[name]}stem.0.weight"]
        mask = torch.full_like(stem[:, :1], 9.0)
        tensors[f"{PREFIX[name]}stem.0.weight"] = torch.cat([stem, mask], 1)
    torch.save({"state_dict": tensors, "epoch": 544_000}, path)
    return state


def test_every_published_network_is_here():
    assert sorted(NAMES) == sorted(EXTRA)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_under_published_names_is_loaded(name, tmp_path):
    state = write(name, tmp_path / "weights.pth")
    encoder, settings = built(name, path=str(tmp_path / "weights.pth"))
    assert encoder.fitted == (name in FITTED)
    net = encoder.new_net(settings) if encoder.fitted else encoder.net
    if encoder.fitted:
        encoder.prepare(net, torch.empty(0))
    found = encoder.trunk(net).state_dict()
    assert all(torch.equal(found[key], x) for key, x in state.items())
    assert encoder.dim == net.backbone.dim == widths.width(study(name, width=WIDTH), name)
    assert encoder.block_count == len(net.backbone.blocks())


def study(name: str, **options) -> Study:
    kind = encoders.constant(name, "modality")
    return Study(
        corpora={"demo": {"root": "data/demo"}},
        fusions={"concat": {}},
        features={kind: [name]},
        encoders={name: options},
    )


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("vggish", 128),
        ("ecapa_tdnn", 192),
        ("iresnet18", 512),
        ("cnn2d_spectrogram", 1024),
        ("cnn2d_face", 4096),
        ("inception_i3d", 1024),
        ("inception_i3d_tcn", 512),
        ("ir50_tcn", 512),
        ("r2plus1d_two_stream", 25_088),
        ("resnet18_two_stream", 512),
    ],
)
def test_the_published_width_is_known_before_anything_is_encoded(name, width):
    assert widths.width(study(name), name) == width


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("vggish", {}, True),
        ("vggish", {"path": "a.pth"}, False),
        ("vggish", {"path": "a.pth", "blocks": 0}, False),
        ("vggish", {"path": "a.pth", "blocks": 2}, True),
        ("ir50_tcn", {"path": "a.pth"}, True),
        ("face_tuned", {"blocks": 0}, True),
        ("face_expression", {}, False),
    ],
)
def test_the_config_tells_whether_an_encoder_is_fitted(name, options, expected):
    given = study(name, **options)
    assert given.fitted(name) is expected
    commands = [step.words for step in steps("demo", given, "results")]
    assert (f"avf fit-encoder demo {name}" in commands) is expected


def test_both_halves_come_from_one_file(tmp_path):
    names = ("r2plus1d_two_stream", "resnet18_two_stream")
    states = [write(name, tmp_path / f"{name}.pth") for name in names]
    both = {}
    for name in names:
        both |= torch.load(tmp_path / f"{name}.pth", weights_only=True)["state_dict"]
    torch.save({"state_dict": both}, tmp_path / "both.pth")
    for name, state in zip(names, states, strict=True):
        encoder, _ = built(name, path=str(tmp_path / "both.pth"))
        found = encoder.net.backbone.state_dict()
        assert all(torch.equal(found[key], x) for key, x in state.items())


def test_files_of_torchvision_are_halves_too(tmp_path):
    """Without a prefix; a first kernel of three channels is averaged."""
    net = two_stream.ResNet18(width=WIDTH)
    state = net.state_dict()
    kernels = torch.cat([state["conv1.weight"] * n for n in (0, 1, 5)], 1)
    torch.save(state | {"conv1.weight": kernels, "fc.weight": torch.ones(3)}, tmp_path / "a.pth")
    encoder, _ = built("resnet18_two_stream", path=str(tmp_path / "a.pth"))
    found = encoder.net.backbone.conv1.weight
    torch.testing.assert_close(found, state["conv1.weight"] * 2)


@pytest.fixture
def corpus(tmp_path):
    return media.make_corpus(tmp_path / "results", {"train": 2, "validation": 1}, seconds=3)


def test_vggish_hears_the_patch_before_the_end_of_each_clip(corpus, tmp_path):
    """Rows against the network on patches that are cut from the complete sound."""
    write("vggish", tmp_path / "a.pth")
    encoder, _ = built("vggish", path=str(tmp_path / "a.pth"))
    record = MediaRecord.open(corpus.media("tiny") / "train_0")
    sound = np.concatenate([samples for _, samples in record.pieces()])
    ends_s = clip_ends(record.duration_s, 0.16)
    found = encoder.encode(record, ends_s, 0.64)
    before = np.concatenate([np.zeros(15_600, np.float32), sound])
    patches = [before[round(e * 16_000) : round(e * 16_000) + 15_600] for e in ends_s]
    with torch.no_grad():
        expected = encoder.net.backbone(spectra.vggish(torch.from_numpy(np.stack(patches))))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.std(0).max() > 1e-3


def test_a_study_writes_the_hash_and_the_licence_and_keys_features_by_them(corpus, tmp_path):
    path = tmp_path / "a.pth"
    write("vggish", path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    options = {"path": str(path), "sha256": digest, "licence": "Apache-2.0"}
    settings = media.settings("vggish", width=WIDTH, **options)
    with pytest.raises(AvfError, match="is pretrained"):
        fit("tiny", settings, corpus)
    encode_shard("tiny", (0, 1), settings, corpus)
    document = json.loads((corpus.encoder("tiny", "vggish") / "settings.json").read_text())
    weights = {"file": "a.pth", "sha256": digest, "licence": "Apache-2.0"}
    assert document["weights"] == weights
    assert Job("tiny", settings, corpus).weights_sha256 == weights
    stamp = corpus.features("tiny", "vggish") / "train_0.json"
    first = json.loads(stamp.read_text())
    assert first["row"]["dim"] == 8
    write("vggish", path, seed=2)
    with pytest.raises(AvfError, match=r"correct encoders\.vggish\.sha256"):
        Job("tiny", settings, corpus)
    again = media.settings("vggish", width=WIDTH, path=str(path))
    encode_shard("tiny", (0, 1), again, corpus)
    second = json.loads(stamp.read_text())
    assert second["key"] != first["key"]
    assert second["row"]["sha256"] != first["row"]["sha256"]


def test_a_moved_file_and_another_licence_keep_the_features(corpus, tmp_path, monkeypatch):
    """The file is hashed once, and what its SHA-256 says is not part of the key."""
    write("vggish", tmp_path / "a.pth")
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "b.pth").write_bytes((tmp_path / "a.pth").read_bytes())
    digest = hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()
    monkeypatch.setenv("HOME", str(tmp_path))
    forms = [
        {"path": str(tmp_path / "a.pth")},
        {"path": "~/a.pth", "licence": "MIT"},
        {"path": "~/moved/b.pth", "licence": "MIT licence", "sha256": digest},
    ]
    digested = []
    real = job.file_digest
    monkeypatch.setattr(job, "file_digest", lambda path: digested.append(path) or real(path))
    entries = [media.settings("vggish", width=WIDTH, **form) for form in forms]
    assert len({Job("tiny", entry, corpus)._key("v") for entry in entries}) == 1
    assert all(entry.lasting == entries[0].lasting for entry in entries)
    assert not digested
    write("vggish", tmp_path / "a.pth", seed=2)
    jobs = [Job("tiny", entry, corpus)._key("v") for entry in entries[1:]]
    assert jobs[0] != jobs[1]


def test_two_files_of_one_class_stand_in_one_study(corpus, tmp_path):
    rows = []
    for seed in (1, 2):
        write("vggish", tmp_path / f"{seed}.pth", seed)
        settings = media.settings("vggish", width=WIDTH, path=str(tmp_path / f"{seed}.pth"))
        settings = settings.updated(encoder=f"vggish_{seed}")
        encode_shard("tiny", (0, 1), settings, corpus)
        rows.append(np.load(corpus.features("tiny", f"vggish_{seed}") / "train_0.npy"))
    assert np.abs(rows[0].astype(float) - rows[1]).max() > 0.01


def test_the_last_blocks_are_tuned_from_the_file_in_stages(corpus, tmp_path):
    state = write("resnet18_two_stream", tmp_path / "a.pth")
    options = {"path": str(tmp_path / "a.pth"), "blocks": 2, "epochs": 3, "most": 12, "batch": 6}
    options |= {"release": 2, "release_when": "epochs", "release_after": 1, "lr": 1e-2}
    options["licence"] = "MIT"
    encoder, settings = built("resnet18_two_stream", **options)
    assert encoder.fitted
    fit("tiny", settings, corpus)
    folder = corpus.encoder("tiny", "resnet18_two_stream")
    assert pd.read_csv(folder / "epochs.csv")["stage"].tolist() == [0, 1, 2]
    last, document = load_weights(folder / "stage2" / "best.safetensors")
    for key, x in state.items():
        same = torch.equal(last[f"backbone.{key}"], x)
        assert same == (not key.startswith("layer4.")), key
    assert document["weights"]["sha256"] == encoder.file.sha256
    record = json.loads((folder / "settings.json").read_text())["weights"]
    assert record == {"file": "a.pth", "sha256": encoder.file.sha256, "licence": "MIT"}
    moved = tmp_path / "moved" / "b.pth"
    moved.parent.mkdir()
    moved.write_bytes((tmp_path / "a.pth").read_bytes())
    changes = {"path": str(moved), "licence": "the MIT licence"}
    other, renamed = built("resnet18_two_stream", **(options | changes))
    other.load(folder / "best.safetensors", renamed)
    encoder.load(folder / "best.safetensors", settings)
    encode_shard("tiny", (0, 1), settings, corpus)
    job = Job("tiny", settings, corpus)
    assert job._key("v") == Job("tiny", renamed, corpus)._key("v")
    assert (
        job.weights_sha256 == hashlib.sha256((folder / "best.safetensors").read_bytes()).hexdigest()
    )
    write("resnet18_two_stream", tmp_path / "a.pth", seed=2)
    best = (folder / "best.safetensors").read_bytes()
    with pytest.raises(TrainError, match=r"another file of weights\. Run: avf fit-encoder tiny"):
        Job("tiny", settings, corpus)
    fit("tiny", settings, corpus)
    assert (folder / "best.safetensors").read_bytes() != best, "another file is another fit"


@pytest.mark.parametrize("head_lr", [None, 0.0, 3e-3])
def test_backbone_and_head_have_rates_of_their_own(head_lr, corpus):
    options = {"epochs": 2, "most": 12, "batch": 6, "lr": 1e-3, "head_lr": head_lr}
    options["schedule"] = {"is": "exponential", "factor": 0.5, "after": 0}
    if head_lr == 0.0:
        with pytest.raises(ConfigError, match="`head_lr` must be above 0"):
            built("resnet18_two_stream", **options)
        return
    _, settings = built("resnet18_two_stream", **options)
    fit("tiny", settings, corpus)
    folder = corpus.encoder("tiny", "resnet18_two_stream")
    assert pd.read_csv(folder / "epochs.csv")["lr"].tolist() == [1e-3, 5e-4]
    raw = (folder / "state.pt").read_bytes().partition(b"\n")[2]
    (tmp := folder / "raw.pt").write_bytes(raw)
    groups = torch.load(tmp, weights_only=True)["updates"]["optimiser"]["param_groups"]
    expected = [2.5e-4] if head_lr is None else [2.5e-4, 7.5e-4]
    assert [group["lr"] for group in groups] == pytest.approx(expected)


def test_sound_that_is_stored_at_a_lower_rate_is_remarked(corpus):
    record = MediaRecord.open(corpus.media("tiny") / "train_0")
    text = built("resnet18_two_stream")[0].remark(record)
    assert text == (
        "sound is stored at 16000 Hz and read at 44100 Hz, so there is nothing above 8000 Hz; set "
        "media.native_sound, or media.sample_rate_hz"
    )
    assert built("vggish")[0].remark(record) is None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vggish", {"width": 0}, "vggish: `width` must be above 0"),
        ("vggish", {"width": float("nan")}, "vggish: `width` must be above 0"),
        ("vggish", {"fit_hz": 0}, "vggish: `fit_hz` must be above 0"),
        ("vggish", {"sha256": "0" * 64}, r"`sha256` is given, but no file\. Set .*vggish\.path"),
        ("vggish", {"lr": 0.0}, "`lr` must be above 0, found 0"),
        ("vggish", {"epochs": 0}, "`epochs` must be 1 or more, found 0"),
        ("vggish", {"batch": 1}, "`batch` must be 2 or more, found 1"),
        ("vggish", {"most": 1}, "`most` must be 2 or more, found 1"),
        ("face_tuned", {"batch": 1}, "face_tuned: `batch` must be 2 or more"),
        ("r2plus1d_two_stream", {"frame_hz": 0}, "`frame_hz` must be above 0"),
        ("cnn2d_face", {"frame_hz": -1}, "`frame_hz` must be above 0"),
        ("vggish", {"blocks": 3}, r"random weights. Set encoders\.vggish\.path"),
        ("vggish", {"path": "a.pth", "blocks": 10}, "`blocks` must be 0 to 9"),
        ("ir50_tcn", {"path": "a.pth", "blocks": 2, "release": 3}, "`release` must be 0 to 2"),
        ("r2plus1d_two_stream", {"frames": 0}, "`frames` must be 1 to 64"),
        ("resnet18_two_stream", {"samples": 9}, "`samples` must be 1024 or more"),
        ("cnn2d_face", {"flip": 2.0}, "`flip` must be 0 to 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        base.build(media.settings(name, **options))


def test_a_missing_file_is_named_by_its_setting(corpus):
    with pytest.raises(AvfError, match=r"none\.pth: file not found.*encoders\.vggish\.path"):
        built("vggish", path="none.pth")
    _, settings = built("vggish", path="none.pth", blocks=1)
    with pytest.raises(AvfError, match=r"none\.pth: file not found.*encoders\.vggish\.path"):
        fit("tiny", settings, corpus)


@pytest.mark.parametrize("name", NAMES)
def test_settings_say_how_the_input_is_made(name, corpus, tmp_path):
    """Next to the weights, so that the key of the features does not depend on it."""
    write(name, tmp_path / "weights.pth")
    options = {"path": str(tmp_path / "weights.pth"), "most": 4, "batch": 2, "epochs": 1}
    options |= {"frames": 2} if "frames" in encoders.options(name) else {}
    encoder, settings = built(name, **options)
    if encoder.fitted:
        fit("tiny", settings, corpus)
    note = Job("tiny", settings, corpus).weights_sha256
    document = json.loads((corpus.encoder("tiny", name) / "settings.json").read_text())
    found = document["preprocessing"]
    assert found == json.loads(json.dumps(encoder.preprocessing()))
    assert "preprocessing" not in (note if isinstance(note, dict) else {})
    if encoder.modality == "audio":
        assert found["rate_hz"] in (16_000, 44_100)
        assert encoder.spectra(torch.zeros(3, found["samples"])).shape[1:] == tuple(
            found["spectrogram"]
        )
        return
    assert (found["frame_hz"], found["interpolation"]) == (encoder.frame_hz, "bilinear")
    face = torch.randint(0, 256, (1, 112, 112, 3), generator=torch.Generator().manual_seed(0))
    form = {key: found[key] for key in ("crop_px", "mean", "deviation", "white")}
    atol = 1e-3 / min(found["deviation"])
    expected = pixels(face.byte(), found["crop_px"], found["mean"], found["deviation"])
    torch.testing.assert_close(Pictures(**form).prepared(face.byte()), expected, atol=atol, rtol=0)
