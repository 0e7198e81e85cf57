"""Adapters of other libraries against those libraries, or equations, on inputs made here."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from avfusion.encoders import base
from avfusion.encoders.job import Job
from avfusion.encoders.stage import encode_shard
from avfusion.encoders.torchvision_model import AUXILIARY, new_network
from avfusion.errors import AvfError, ConfigError
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from support import synthetic_media as media
from support import tiny_bert, tiny_models

CLIP_S, HOP_S = media.WINDOWS["clip_s"], media.WINDOWS["hop_s"]
FIELD = 452  # samples of a frame of the small speech models; the next begins 320 later


def settings(name: str, modality: str | None, entry: str = "", **options):
    changes = {"modality": modality, "encoder": entry or name}
    return media.settings(name, **options).updated(**changes)


def built(name: str, modality: str | None = None, **options):
    return base.build(settings(name, modality, "mine", **options))


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    rng = np.random.default_rng(3)
    return media.make_record(tmp_path_factory.mktemp("one") / "record", media.course(rng, 5.3), rng)


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")


def pooled(starts_s: np.ndarray, frames: np.ndarray, ends_s: np.ndarray) -> np.ndarray:
    """The mean of frames (T, D) of 20 ms per clip, weighted by their overlap."""
    begins, stops = (
        np.maximum.outer(ends_s - CLIP_S, starts_s),
        np.minimum.outer(ends_s, starts_s + 0.02),
    )
    weight = (stops - begins).clip(0)
    return weight @ frames / weight.sum(1, keepdims=True)


def heard(record: MediaRecord, field: int) -> np.ndarray:
    """All of the sound, begun so that the first frame is centred at 10 ms."""
    before = (field - 320) // 2
    last = round(record.duration_s * 16_000) + field - 320 - before
    return record.waveform(-before / 16_000, last / 16_000, 16_000)[0].astype(np.float64)


SPEECH = ["wav2vec2", "hubert", "wavlm", "data2vec-audio"]


@pytest.mark.parametrize("kind", SPEECH)
@pytest.mark.parametrize(("layers", "combine"), [([-2, -1], "sum"), ([1, 2, 3], "mean")])
def test_a_speech_model_is_that_of_the_library(
    kind, layers, combine, record, tmp_path, transformers
):
    """One pass over all of the sound, whose layers are read where they are computed."""
    folder = tiny_models.write_transformers(kind, tmp_path / kind)
    found_in = {"path": str(folder), "layers": layers, "combine": combine}
    encoder = built("transformers", "audio", **found_in)
    ends_s = clip_ends(record.duration_s, HOP_S)
    found = encoder.encode(record, ends_s, CLIP_S)
    net = transformers.AutoModel.from_pretrained(folder).eval()
    states = []
    for layer in net.encoder.layers:
        layer.register_forward_hook(
            lambda _, __, y: states.append(y[0] if isinstance(y, tuple) else y)
        )
    sound = heard(record, FIELD)
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    with torch.no_grad():
        net(torch.from_numpy(sound.astype(np.float32))[None])
    chosen = [states[layer if layer < 0 else layer - 1].reshape(-1, 16) for layer in layers]
    total = torch.stack(chosen).double().sum(0).numpy()
    expected = pooled(np.arange(len(total)) * 0.02, total, ends_s)
    expected /= len(layers) if combine == "mean" else 1
    assert encoder.dim == 16
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert found.std(0).max() > 0.01


def test_the_whisper_encoder_is_that_of_the_library(record, tmp_path, transformers):
    folder = tiny_models.write_transformers("whisper", tmp_path / "w")
    options = {"path": str(folder), "layers": [0, -1], "chunk_s": 1.0, "margin_s": 1.0}
    encoder = built("transformers", "audio", **options)
    found = encoder.encode(record, np.array([2.64]), CLIP_S)  # within what chunk 2 reads
    net = transformers.WhisperModel.from_pretrained(folder).eval().encoder
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    sound = record.waveform(1.0, 4.0)[0]
    with torch.no_grad():
        mel = extractor(sound, sampling_rate=16_000, return_tensors="pt").input_features
        states = net(mel, output_hidden_states=True).hidden_states
    total = (states[0] + net(mel).last_hidden_state)[0].double().detach().numpy()
    expected = pooled(1 + np.arange(len(total)) * 0.02, total, np.array([2.64]))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(ConfigError, match=r"is 12 s, and this model reads 3 s\. Lower .*chunk_s"):
        built("transformers", "audio", path=str(folder))


def normalised(faces: np.ndarray) -> torch.Tensor:
    """Faces uint8 (n, 112, 112, 3) as ImageNet's models want them, of the same size."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    scaled = (faces / 255 - mean) / deviation
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32))


def of_clip(record: MediaRecord, end_s: float) -> np.ndarray:
    times_s = record.frames["time_s"].to_numpy()
    inside = (times_s > end_s - CLIP_S + 1e-6) & (times_s <= end_s + 1e-6)
    return record.crops(np.flatnonzero(inside))


@pytest.mark.parametrize(
    ("kind", "cls", "pool"),
    [
        ("dinov2", "Dinov2Model", "cls"),
        ("dinov2", "Dinov2Model", "mean"),
        ("vit", "ViTModel", "mean"),
        ("clip", "CLIPVisionModel", "cls"),
    ],
)
def test_a_picture_model_is_that_of_the_library(kind, cls, pool, record, tmp_path, transformers):
    folder = tiny_models.write_transformers(kind, tmp_path / kind)
    encoder = built("transformers", "video", path=str(folder), layers=[-2, 1], pool=pool)
    found = encoder.encode(record, np.array([1.28, 3.2]), CLIP_S)
    net = getattr(transformers, cls).from_pretrained(folder).eval()
    for row, end_s in zip(found, (1.28, 3.2), strict=True):
        with torch.no_grad():
            given = normalised(of_clip(record, end_s))
            states = net(given, output_hidden_states=True).hidden_states
        total = states[2] + states[1]
        rows = total[:, 0] if pool == "cls" else total[:, 1:].mean(1)
        np.testing.assert_allclose(row, rows.mean(0), atol=1e-4)
    assert encoder.read_hz == 12.5


def test_videomae_reads_several_faces_of_a_clip(record, tmp_path, transformers):
    folder = tiny_models.write_transformers("videomae", tmp_path / "v")
    encoder = built("transformers", "video", path=str(folder), layers=[-1])
    found = encoder.encode(record, np.array([2.0]), CLIP_S)
    net = transformers.VideoMAEModel.from_pretrained(folder).eval()
    given = normalised(of_clip(record, 2.0)[-7::2])[None]  # 4 of 8 faces
    with torch.no_grad():
        states = net(given, output_hidden_states=True).hidden_states
    np.testing.assert_allclose(found, states[-1].mean(1), atol=1e-4)
    with pytest.raises(ConfigError, match="`pool` is cls, but a model of the type 'videomae'"):
        built("transformers", "video", path=str(folder), pool="cls")


WORDS = [("good0", 0.1, 0.4), ("bad2", 0.5, 0.9), ("zebra", 2.1, 2.2)]


def test_bert_is_that_of_its_equations(tmp_path, transformers):
    folder = tiny_bert.write_bert(tmp_path / "bert")
    options = {"path": str(folder), "layers": [-2, 3], "combine": "mean"}
    encoder = built("transformers", "text", **options)
    found = encoder.encode(media.transcript(WORDS, 3.0), np.array([0.3, 0.96, 1.8, 2.4]), CLIP_S)
    pieces = [tiny_bert.pieces_of(word) for word, *_ in WORDS]
    numbers = [2, *(n for word in pieces for n in word), 3]
    states = tiny_bert.hidden_states(load_file(folder / "model.safetensors"), numbers)
    total = (states[2] + states[3])[1:-1] / 2
    words = torch.stack([part.mean(0) for part in total.split([len(p) for p in pieces])])
    expected = [words[0], words[:2].mean(0), None, words[2]]
    for row, vector in zip(found, expected, strict=True):
        if vector is None:
            assert np.isnan(row).all()
        else:
            np.testing.assert_allclose(row, vector, atol=1e-4)


def test_roberta_reads_words_with_the_space_before_them(tmp_path, transformers):
    folder = tiny_models.write_roberta(tmp_path / "r")
    encoder = built("transformers", "text", path=str(folder), layers=[-1])
    found = encoder.encode(media.transcript(WORDS[:2], 1.0), np.array([0.3, 0.96]), CLIP_S)
    vocabulary = json.loads((folder / "vocab.json").read_text())
    pieces = [["Ġgood", "0"], ["Ġ", "b", "a", "d", "2"]]
    numbers = [vocabulary[p] for p in ["<s>", *pieces[0], *pieces[1], "</s>"]]
    net = transformers.RobertaModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = net(torch.tensor([numbers])).last_hidden_state[0]
    words = torch.stack([states[1:3].mean(0), states[3:8].mean(0)])
    np.testing.assert_allclose(found, torch.stack([words[0], words.mean(0)]), atol=1e-5)
    longer = [(f"good{n}", n / 10, n / 10 + 0.1) for n in range(60)]  # 120 pieces, 38 at once
    rows = encoder.encode(media.transcript(longer, 7.0), clip_ends(6.0, HOP_S), CLIP_S)
    assert np.isfinite(rows).all()


def test_an_emotion_model_on_wav2vec2_is_read(record, tmp_path, transformers):
    """Public files have a prefix, a head, and the first names of weight normalisation."""
    folder = tiny_models.write_transformers("wav2vec2", tmp_path / "w")
    plain = built("transformers", "audio", path=str(folder)).encode(record, np.array([2.0]), CLIP_S)
    tensors = load_file(folder / "model.safetensors")
    names = {
        "parametrizations.weight.original0": "weight_g",
        "parametrizations.weight.original1": "weight_v",
    }
    made = {}
    for name, x in tensors.items():
        for now, before in names.items():
            name = name.replace(now, before)
        made[f"wav2vec2.{name}"] = x
    made |= {
        "classifier.dense.weight": torch.ones(16, 16),
        "classifier.out_proj.bias": torch.ones(3),
    }
    save_file(made, folder / "model.safetensors")
    encoder = built("transformers", "audio", path=str(folder))
    np.testing.assert_array_equal(encoder.encode(record, np.array([2.0]), CLIP_S), plain)
    assert encoder.identified()["left_out"] == ["classifier"]


def test_a_folder_whose_weights_do_not_fit_is_refused(tmp_path, transformers):
    folder = tiny_models.write_transformers("dinov2", tmp_path / "d")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    some = "encoder.layer.1.norm1.weight"
    assert some in tensors
    cases = [
        ({some: None}, rf"1 weights are missing, such as {some}.*mine\.path"),
        ({some: torch.ones(3)}, r"does not fit config\.json .*mine\.path"),
        ({some: torch.full((16,), torch.nan)}, rf"{some} has values that are not finite"),
    ]
    for changes, text in cases:
        made = {name: x for name, x in (tensors | changes).items() if x is not None}
        save_file(made, path)
        with pytest.raises(AvfError, match=text):
            built("transformers", "video", path=str(folder))


def test_a_folder_is_refused_by_its_hash_and_for_its_code(tmp_path, transformers):
    folder = tiny_models.write_transformers("dinov2", tmp_path / "d")
    path = folder / "model.safetensors"
    raw = bytearray(path.read_bytes())
    options = {"path": str(folder), "sha256": hashlib.sha256(raw).hexdigest()}
    built("transformers", "video", **options)
    raw[-5] ^= 1
    path.write_bytes(raw)
    with pytest.raises(AvfError, match=r"its SHA-256 is .*correct encoders\.mine\.sha256"):
        built("transformers", "video", **options)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.X"}}))
    (folder / "evil.py").write_text("raise SystemExit('was run')")
    with pytest.raises(AvfError, match=r"names code of its own \(auto_map: evil\.X\)"):
        built("transformers", "video", path=str(folder))


@pytest.mark.parametrize("layers", [[], [4], [-5]])
def test_layers_that_do_not_exist_are_refused(layers, tmp_path, transformers):
    folder = tiny_models.write_transformers("wav2vec2", tmp_path / "w")
    with pytest.raises(ConfigError, match=r"mine: `layers` must be -4 to 3 each, found"):
        built("transformers", "audio", path=str(folder), layers=layers)


def test_a_folder_without_its_preprocessing_is_refused(tmp_path, transformers):
    for kind, modality in (("wav2vec2", "audio"), ("dinov2", "video")):
        folder = tiny_models.write_transformers(kind, tmp_path / kind)
        (folder / "preprocessor_config.json").unlink()
        with pytest.raises(AvfError, match=r"preprocessor_config\.json.*mine\.path"):
            built("transformers", modality, path=str(folder))


CASES = [
    (name, modality)
    for name in ("timm", "torchvision", "transformers")
    for modality in encoders.constant(name, "modalities") or (None,)
    if modality != "text"
]


@pytest.mark.parametrize(("name", "modality"), CASES)
def test_two_checkpoints_of_one_class_in_a_study(name, modality, tmp_path):
    pytest.importorskip(name)
    corpus = media.make_corpus(tmp_path / "results", {"train": 1, "test": 1}, seconds=3)
    notes, rows, keys = [], [], []
    for seed, entry in enumerate(("one", "two")):
        options = tiny_models.options(name, modality or "video", tmp_path / entry, seed)
        given = settings(name, modality, entry, licence="CC BY-NC 4.0", **options)
        encode_shard("tiny", (0, 1), given, corpus)
        folder = corpus.features("tiny", entry)
        rows.append(np.load(folder / "test_0.npy"))
        keys.append(json.loads((folder / "test_0.json").read_text())["key"])
        document = json.loads((corpus.encoder("tiny", entry) / "settings.json").read_text())
        notes.append(document["weights"])
        assert json.loads(json.dumps(Job("tiny", given, corpus).weights_sha256)) == notes[-1]
        assert np.isfinite(rows[-1]).all()
    assert rows[0].shape == rows[1].shape
    assert np.abs(rows[0] - rows[1]).max() > 0.01
    assert keys[0] != keys[1]
    assert notes[0]["sha256"] != notes[1]["sha256"]
    assert notes[0]["licence"] == "CC BY-NC 4.0"
    assert notes[0]["preprocessing"] == notes[1]["preprocessing"]


@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_a_model_of_timm_gives_what_its_classifier_reads(model, record, tmp_path):
    timm = pytest.importorskip("timm")
    path = tiny_models.write_timm(model, tmp_path / "a.safetensors")
    encoder = built("timm", model=model, path=str(path), crop_px=None)
    net = timm.create_model(model, num_classes=7)
    net.load_state_dict(load_file(path))
    stated = net.pretrained_cfg
    assert encoder.preprocessing["crop_px"] == stated["input_size"][1] == 160
    assert encoder.preprocessing["mean"] == tuple(stated["mean"])
    faces = torch.from_numpy(of_clip(record, 2.0))
    with torch.no_grad():
        given = encoder.pictures.prepared(faces)
        expected = net.eval().forward_head(net.forward_features(given), pre_logits=True).mean(0)
    found = encoder.encode(record, np.array([2.0]), CLIP_S)
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


def test_what_timm_does_not_have_is_refused(tmp_path):
    pytest.importorskip("timm")
    for name in ("resnet181", "hf-hub:timm/resnet18", "local-dir:/x", ""):
        with pytest.raises(ConfigError, match=rf"no model '{name}'.*mine\.model"):
            built("timm", model=name, path=str(tmp_path / "a.safetensors"))
    with pytest.raises(ConfigError, match=r"timm cannot make 'resnet18\.nowhere'"):
        built("timm", model="resnet18.nowhere", path=str(tmp_path / "a.safetensors"))
    path = tiny_models.write_timm("test_resnet", tmp_path / "a.safetensors")
    with pytest.raises(AvfError, match=r"are missing; .* are not of this network.*mine\.path"):
        built("timm", model="test_vit", path=str(path))


def test_a_side_that_a_model_of_timm_cannot_read_is_refused(tmp_path):
    timm = pytest.importorskip("timm")
    path = tmp_path / "a.safetensors"
    save_file(timm.create_model("test_vit3", num_classes=7).state_dict(), path)
    with pytest.raises(ConfigError, match=r"cannot read the shape \(3, 64, 64\) .*mine\.crop_px"):
        built("timm", model="test_vit3", path=str(path), crop_px=64)
    with pytest.raises(ConfigError, match="`crop_px` must be 1 or more, found 0"):
        built("timm", model="test_vit3", path=str(path), crop_px=0)
    with pytest.raises(ConfigError, match=r"`mean` must be 3 numbers, found \[\]"):
        built("timm", model="test_vit3", path=str(path), mean=[])


@pytest.mark.parametrize("model", ["googlenet", "inception_v3"])
def test_models_of_google_scale_pictures_as_their_public_weights_need(model):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        net = new_network(torchvision.models, model)
        plain = torchvision.models.get_model(model, weights=None, init_weights=False)
    assert net.transform_input
    assert not plain.transform_input
    names = [name for name in plain.state_dict() if not name.startswith(AUXILIARY)]
    assert list(net.state_dict()) == names
    assert len(names) < len(plain.state_dict()), "files have second classifiers, which are left out"


@pytest.mark.parametrize(
    ("model", "options", "head"),
    [
        ("shufflenet_v2_x0_5", {"crop_px": 112}, "fc"),
        ("squeezenet1_1", {"crop_px": 112}, "classifier.1"),
        pytest.param("mc3_18", {"crop_px": 112, "frames": 4}, "fc", marks=pytest.mark.slow),
    ],
)
def test_a_model_of_torchvision_gives_what_its_classifier_reads(
    model, options, head, record, tmp_path
):
    torchvision = pytest.importorskip("torchvision")
    path = tiny_models.write_torchvision(model, tmp_path / "a.pth")
    encoder = built("torchvision", model=model, path=str(path), **options)
    found = encoder.encode(record, np.array([2.0]), CLIP_S)
    net = torchvision.models.get_model(model)
    net.load_state_dict(torch.load(path, weights_only=True))
    read = []
    net.eval().get_submodule(head).register_forward_hook(lambda _, x, __: read.append(x[0]))
    faces = torch.from_numpy(
        of_clip(record, 2.0)[-7::2] if "frames" in options else of_clip(record, 2.0)
    )
    stated = torchvision.models.get_model_weights(model).DEFAULT.transforms()
    mean, deviation = torch.tensor(stated.mean), torch.tensor(stated.std)
    given = ((faces / 255 - mean) / deviation).permute(0, 3, 1, 2)
    with torch.no_grad():
        net(given.transpose(0, 1)[None] if "frames" in options else given)
    rows = read[0].flatten(2).relu().mean(2) if read[0].ndim == 4 else read[0]
    np.testing.assert_allclose(found[0], rows.mean(0), atol=1e-4)


def test_what_torchvision_does_not_have_is_refused(tmp_path):
    pytest.importorskip("torchvision")
    for name in ("resnet181", "fasterrcnn_resnet50_fpn"):
        with pytest.raises(ConfigError, match=rf"no model '{name}'.*mine\.model"):
            built("torchvision", model=name, path=str(tmp_path / "a.pth"))


def test_functionals_are_those_of_opensmile(record):
    opensmile = pytest.importorskip("opensmile")
    encoder = built("opensmile", context_s=2.0)
    ends_s = np.array([0.96, 3.2])
    found = encoder.encode(record, ends_s, CLIP_S)
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    sound = np.concatenate([np.zeros(32_000, np.float32), record.waveform(0, record.duration_s)[0]])
    for row, end_s in zip(found, ends_s, strict=True):
        part = sound[round(end_s * 16_000) : round(end_s * 16_000) + 32_000]
        np.testing.assert_allclose(row, smile.process_signal(part, 16_000).to_numpy()[0], rtol=1e-5)
    assert encoder.dim == len(smile.feature_names) == 88


def test_descriptors_are_those_of_opensmile(record):
    """In one chunk; in several, what differs is that pitch is tracked over less sound."""
    opensmile = pytest.importorskip("opensmile")
    ends_s = clip_ends(record.duration_s, HOP_S)
    found = built("opensmile", level="lld").encode(record, ends_s, CLIP_S)
    level = opensmile.FeatureLevel.LowLevelDescriptors
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level)
    sound = record.waveform(-0.005, record.duration_s + 0.005)[0]
    rows = smile.process_signal(sound, 16_000).to_numpy().astype(float)
    starts_s = np.arange(len(rows)) * 0.01
    stops_s = np.append(starts_s[1:], record.duration_s)
    begins = np.maximum.outer(ends_s - CLIP_S, starts_s)
    weight = (np.minimum.outer(ends_s, stops_s) - begins).clip(0)
    expected = weight @ rows / weight.sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    parts = built("opensmile", level="lld", chunk_s=2.0).encode(record, ends_s, CLIP_S)
    spectral = slice(0, 6)  # loudness to spectral flux
    np.testing.assert_allclose(parts[:, spectral], found[:, spectral], rtol=1e-3, atol=1e-3)


def test_the_licence_of_opensmile_is_part_of_the_settings(tmp_path):
    pytest.importorskip("opensmile")
    corpus = media.make_corpus(tmp_path / "results", {"test": 1}, seconds=3)
    encode_shard("tiny", (0, 1), settings("opensmile", None), corpus)
    document = json.loads((corpus.encoder("tiny", "opensmile") / "settings.json").read_text())
    assert "no commercial use" in document["weights"]["licence"]
    assert document["weights"]["package"].startswith("opensmile 2.")
    assert np.load(corpus.features("tiny", "opensmile") / "test_0.npy").shape[1] == 88


def test_less_sound_than_opensmile_needs_is_refused():
    """It gives only values that are not a number for 50 ms."""
    opensmile = pytest.importorskip("opensmile")
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    noise = np.random.default_rng(0).normal(0, 0.1, 1_600).astype(np.float32)
    assert np.isnan(smile.process_signal(noise[:800], 16_000).to_numpy()).all()
    assert np.isfinite(smile.process_signal(noise, 16_000).to_numpy()).all()
    with pytest.raises(ConfigError, match=r"mine: `context_s` must be 0\.1 or more, found 0\.05"):
        built("opensmile", context_s=0.05)
