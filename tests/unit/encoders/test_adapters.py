"""Adapters without an optional package: ONNX files, faces and sound as networks read them."""

import hashlib
import json
import re
import sys

import numpy as np
import pytest
import torch
import yaml
from scipy import ndimage

from avfusion.config import widths
from avfusion.config.study import Study
from avfusion.config.validate import faults
from avfusion.encoders import adapter_widths, base, extras
from avfusion.encoders.job import Job
from avfusion.encoders.pictures import Pictures
from avfusion.encoders.sound_chunks import BATCH, Chunks
from avfusion.encoders.stage import encode_shard
from avfusion.encoders.transformers_load import refuse_code
from avfusion.errors import AvfError, ConfigError
from avfusion.media.clips import clip_ends
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from support import synthetic_media as media
from support import tiny_models

CLIP_S, HOP_S = media.WINDOWS["clip_s"], media.WINDOWS["hop_s"]
MEAN, DEVIATION = [0.5, 0.4, 0.3], [0.25, 0.2, 0.5]
PICTURES = {"mean": MEAN, "deviation": DEVIATION}


def settings(name: str, modality: str | None, entry: str = "", **options):
    changes = {"modality": modality, "encoder": entry or name}
    return media.settings(name, **options).updated(**changes)


@pytest.fixture
def record(tmp_path):
    rng = np.random.default_rng(3)
    return media.make_record(tmp_path / "record", media.course(rng, 5.3), rng)


def onnx(tmp_path, shape, modality="video", name="a", seed=0, **options):
    """An encoder of a file, and the matrix in it."""
    weights = tiny_models.write_onnx(tmp_path / f"{name}.onnx", shape, seed=seed)
    given = {"path": str(tmp_path / f"{name}.onnx"), **options}
    return base.build(settings("onnx", modality, **given)), weights


def faces_of(record: MediaRecord, end_s: float) -> np.ndarray:
    """The faces in (end - clip, end], float (n, 112, 112, 3) from 0 to 1."""
    times_s = record.frames["time_s"].to_numpy()
    inside = np.flatnonzero((times_s > end_s - CLIP_S + 1e-6) & (times_s <= end_s + 1e-6))
    return record.crops(inside).astype(float) / 255


def test_faces_of_the_same_size_are_only_scaled_in_value():
    faces = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 3), np.uint8)
    form = Pictures(8, tuple(MEAN), tuple(DEVIATION), white=1.0)
    found = form.prepared(torch.from_numpy(faces)).numpy()
    expected = (faces / 255 - np.array(MEAN)) / np.array(DEVIATION)
    np.testing.assert_allclose(found, np.moveaxis(expected, -1, 2), atol=1e-5)
    whole = Pictures(8, (127.5,) * 3, (127.5,) * 3, white=255.0)
    found = whole.prepared(torch.from_numpy(faces)).numpy()
    np.testing.assert_allclose(found, np.moveaxis(faces / 127.5 - 1, -1, 2), atol=1e-5)


def test_faces_are_scaled_to_the_side_that_the_network_reads():
    """Twice as large: linear interpolation between the centres of pixels, held at the border."""
    faces = np.random.default_rng(1).integers(0, 256, (1, 6, 6, 3), np.uint8)
    form = Pictures(12, (0.0,) * 3, (1.0,) * 3, white=255.0)
    at = (np.arange(12) + 0.5) / 2 - 0.5
    rows, columns = np.meshgrid(at, at, indexing="ij")
    planes = np.moveaxis(faces[0].astype(float), -1, 0)
    expected = np.stack(
        [ndimage.map_coordinates(x, [rows, columns], order=1, mode="nearest") for x in planes]
    )
    found = form.prepared(torch.from_numpy(faces))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_larger_side_to_a_smaller_one_averages():
    faces = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), np.uint8)
    form = Pictures(1, (0.0,) * 3, (1.0,) * 3, white=255.0)
    found = form.prepared(torch.from_numpy(faces))[0, :, 0, 0].numpy()
    at = np.arange(8) + 0.5
    weight = np.maximum(0, 1 - np.abs(at - 4) / 8)
    weight = np.outer(weight, weight) / weight.sum() ** 2
    np.testing.assert_allclose(found, (faces[0] * weight[..., None]).sum((0, 1)), atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"crop_px": 0}, "`crop_px` must be 1 or more, found 0"),
        ({"mean": (0.5,)}, r"`mean` must be 3 numbers, found \[0.5\]"),
        ({"deviation": (1.0, 0.0, 1.0)}, "`deviation` must be above 0"),
        ({"frames": 65}, "`frames` must be 1 to 64, found 65"),
        ({"frame_hz": 0.0}, "`frame_hz` must be above 0"),
        ({"white": 0.0}, "`white` must be above 0"),
        ({"interpolation": "lanczos"}, "`interpolation` must be one of bilinear, bicubic"),
    ],
)
def test_impossible_pictures_are_refused(changes, text):
    given = {"crop_px": 8, "mean": (0.0,) * 3, "deviation": (1.0,) * 3} | changes
    with pytest.raises(ConfigError, match=f"my_face: {text}"):
        Pictures(**given).checked("my_face")


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colours", ["rgb", "bgr"])
def test_an_onnx_file_reads_each_face_and_a_clip_is_their_mean(layout, colours, record, tmp_path):
    shape = [{"n": "n", "c": 3}.get(axis, 112) for axis in layout]
    options = {"layout": layout, "colours": colours, **PICTURES}
    encoder, weights = onnx(tmp_path, shape, **options)
    ends_s = clip_ends(record.duration_s, HOP_S)
    found = encoder.encode(record, ends_s, CLIP_S)
    assert encoder.dim == found.shape[1] == 4
    for row, end_s in zip(found[::7], ends_s[::7], strict=True):
        faces = (faces_of(record, end_s) - MEAN) / DEVIATION
        if colours == "bgr":
            faces = faces[..., ::-1]
        flat = faces if layout == "nhwc" else faces.transpose(0, 3, 1, 2)
        expected = np.tanh(flat.reshape(len(faces), -1) @ weights).mean(0)
        np.testing.assert_allclose(row, expected, atol=1e-4)
    assert found.std(0).max() > 0.01


@pytest.mark.parametrize("layout", ["ncthw", "ntchw", "nthwc"])
def test_an_onnx_file_of_clips_reads_several_faces_at_once(layout, record, tmp_path):
    shape = [{"n": 1, "c": 3, "t": 4}.get(axis, 112) for axis in layout]  # one clip at a time
    encoder, weights = onnx(tmp_path, shape, layout=layout, **PICTURES)
    found = encoder.encode(record, np.array([2.0]), CLIP_S)
    faces = (faces_of(record, 2.0)[-7::2] - MEAN) / DEVIATION  # 8 faces: every second
    ordered = faces.transpose(["thwc".index(axis) for axis in layout[1:]])
    expected = np.tanh(ordered.reshape(1, -1) @ weights)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("normalise", [False, True])
def test_an_onnx_file_hears_the_sound_that_ends_with_each_clip(normalise, record, tmp_path):
    options = {"rate_hz": 8_000, "context_s": 1.0, "normalise": normalise}
    encoder, weights = onnx(tmp_path, ["n", 8_000], "audio", **options)
    ends_s = clip_ends(record.duration_s, HOP_S)
    found = encoder.encode(record, ends_s, CLIP_S)
    for row, end_s in zip(found[::5], ends_s[::5], strict=True):
        sound = record.waveform(end_s - 1, end_s, 8_000)[0].astype(float)
        if normalise:
            sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        np.testing.assert_allclose(row, np.tanh(sound @ weights), atol=1e-4)


def test_a_length_of_sound_that_the_file_leaves_open_is_an_option(record, tmp_path):
    encoder, weights = onnx(tmp_path, ["n", "t"], "audio", context_s=1.28)
    found = encoder.encode(record, np.array([2.56]), CLIP_S)
    sound = record.waveform(1.28, 2.56)[0]
    np.testing.assert_allclose(found[0], np.tanh(sound.mean() * weights[0]), atol=1e-5)


def test_an_onnx_file_that_does_not_fit_is_refused(tmp_path):
    cases = [
        ({"mean": None}, "does not state the mean and deviation"),
        ({"crop_px": 96}, "`crop_px` is 96, but .* reads 112"),
        ({"layout": "ncthw"}, r"reads 4 axes .*, expected 5.*onnx\.layout"),
        ({"output": "z"}, r"`output` is 'z', and .* has the outputs y"),
    ]
    for changes, text in cases:
        with pytest.raises(ConfigError, match=text):
            onnx(tmp_path, ["n", 3, 112, 112], **(PICTURES | changes))
    with pytest.raises(ConfigError, match=r"leaves crop_px open\. Set encoders\.onnx\.crop_px"):
        onnx(tmp_path, ["n", 3, "h", "w"], **PICTURES)
    (tmp_path / "a.onnx").write_bytes(b"\x08\x08 no network")
    with pytest.raises(AvfError, match=r"cannot be run as a network .*encoders\.onnx\.path"):
        base.build(settings("onnx", "video", path=str(tmp_path / "a.onnx"), **PICTURES))


def test_weights_outside_an_onnx_file_are_refused(tmp_path, monkeypatch):
    """A path in the file is not followed, although the weights are there and in this folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.onnx"
    weights = tiny_models.write_onnx(path, ["n", 3, 112, 112], outside="w.bin")
    assert (tmp_path / "w.bin").read_bytes() == weights.tobytes()
    with pytest.raises(AvfError, match=r"cannot be run as a network .*External data"):
        base.build(settings("onnx", "video", path=str(path), **PICTURES))


@pytest.fixture
def corpus(tmp_path):
    return media.make_corpus(tmp_path / "results", {"train": 1, "test": 1}, seconds=3)


def test_two_files_of_one_class_in_a_study(corpus, tmp_path):
    """Each has its features and key, and its settings.json with hash and preprocessing."""
    keys = []
    for number, name in enumerate(("one", "two")):
        _, weights = onnx(tmp_path, ["n", 3, 112, 112], name=name, seed=number, **PICTURES)
        path = tmp_path / f"{name}.onnx"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        options = {"path": str(path), "sha256": digest, "licence": "CC BY 4.0", **PICTURES}
        given = settings("onnx", "video", name, **options)
        encode_shard("tiny", (0, 1), given, corpus)
        document = json.loads((corpus.encoder("tiny", name) / "settings.json").read_text())
        note = document["weights"]
        assert (note["file"], note["sha256"]) == (path.name, digest)
        assert note["licence"] == "CC BY 4.0"
        assert note["preprocessing"]["mean"] == MEAN
        job = Job("tiny", given, corpus)
        assert json.loads(json.dumps(job.weights_sha256)) == note
        keys.append(json.loads((corpus.features("tiny", name) / "test_0.json").read_text())["key"])
        rows = np.load(corpus.features("tiny", name) / "test_0.npy")
        record = MediaRecord.open(corpus.media("tiny") / "test_0")
        faces = (faces_of(record, HOP_S * 9) - MEAN) / DEVIATION
        flat = faces.transpose(0, 3, 1, 2).reshape(len(faces), -1)
        np.testing.assert_allclose(rows[8], np.tanh(flat @ weights).mean(0), atol=2e-3)
    assert keys[0] != keys[1]


def test_a_flipped_byte_is_refused(tmp_path):
    onnx(tmp_path, ["n", 3, 112, 112], **PICTURES)
    path = tmp_path / "a.onnx"
    raw = bytearray(path.read_bytes())
    digest = hashlib.sha256(raw).hexdigest()
    options = {"path": str(path), "sha256": digest, **PICTURES}
    base.build(settings("onnx", "video", "my_face", **options))
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(AvfError, match=r"its SHA-256 is .*correct encoders\.my_face\.sha256"):
        base.build(settings("onnx", "video", "my_face", **options))


@pytest.mark.parametrize("duration_s", [0.5, 2.0, 2.9, 7.3, 31.0])
def test_chunks_cover_a_video_and_are_equally_long(duration_s):
    form = Chunks(16_000, 320, 400, chunk_s=2.0, margin_s=0.5)
    spans = [form.span(k, duration_s) for k in range(int(np.ceil(duration_s / 2)))]
    for k, (begin_s, end_s) in enumerate(spans):
        assert begin_s <= max(2 * k - 0.5, 0) + 1e-9
        assert end_s >= min(2 * k + 2.5, duration_s) - 1e-9
        assert end_s - begin_s == pytest.approx(min(3.0, duration_s))


@pytest.mark.parametrize("chunk_s", [0.4, 1.0, 10.0])
def test_frames_are_averaged_over_clips_as_without_chunks(chunk_s, record):
    """A frame that is the mean of its samples, so that chunks can make no difference."""
    form = Chunks(16_000, 320, 400, chunk_s, 0.1).checked("x")
    sizes = []

    def embed(samples: np.ndarray) -> np.ndarray:
        sizes.append(samples.shape)
        count = (samples.shape[1] - 400) // 320 + 1
        frames = [1e3 * samples[:, 320 * i : 320 * i + 400] for i in range(count)]
        return np.stack([np.stack([x.mean(1), x.std(1)], -1) for x in frames], 1)

    ends_s = clip_ends(record.duration_s, HOP_S)
    found = form.encode(record, ends_s, CLIP_S, embed, 2)
    starts_s = np.arange(0, 5.28, 0.02)
    frames = [record.waveform(s - 0.0025, s + 0.0225)[0] * 1e3 for s in starts_s]
    values = np.array([[x.mean(), x.std()] for x in frames])
    for row, end_s in zip(found, ends_s, strict=True):
        inside = np.minimum(starts_s + 0.02, end_s) - np.maximum(starts_s, end_s - CLIP_S)
        weight = inside.clip(0)[:, None]
        np.testing.assert_allclose(row, (values * weight).sum(0) / weight.sum(), atol=0.02)
    assert max(count for count, _ in sizes) <= BATCH
    assert len({length for _, length in sizes}) == 1


def test_impossible_chunks_are_refused():
    with pytest.raises(ConfigError, match=r"x: `chunk_s` must be 0\.1 or more, found 0"):
        Chunks(16_000, 320, 400, 0.0).checked("x")
    with pytest.raises(ConfigError, match="x: `margin_s` must be 0 or more, found -1"):
        Chunks(16_000, 320, 400, 10.0, -1.0).checked("x")


@pytest.mark.parametrize("name", ["transformers", "timm", "torchvision", "opensmile"])
def test_an_absent_package_is_one_clear_message(name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, name, None)
    modality = "audio" if encoders.constant(name, "modalities") else None
    options = {} if name == "opensmile" else {"path": str(tmp_path / "a.safetensors")}
    if name == "transformers":
        options = {"path": str(tmp_path)}
        (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
        (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(AvfError) as error:
        base.build(settings(name, modality, "mine", **options))
    text = f"mine: needs the package {name}, which is not installed. Run: make extras"
    assert str(error.value) == text


def test_a_package_that_lacks_another_says_which(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AvfError, match=r"\(it lacks nowhere_to_be_found\)\. Run: make extras"):
        extras.needed("half_there", "mine")


@pytest.mark.parametrize("mapped", [{"AutoModel": "modeling_x.X"}, "modeling_x.X"])
@pytest.mark.parametrize("name", ["config", "preprocessor_config", "tokenizer_config"])
def test_a_folder_that_names_code_is_refused(name, mapped, tmp_path):
    (tmp_path / f"{name}.json").write_text(json.dumps({"auto_map": mapped}))
    with pytest.raises(AvfError, match=r"names code of its own \(auto_map: modeling_x.X\)"):
        refuse_code(tmp_path, "encoders.mine.path")


class Harmful:
    def __reduce__(self):
        return print, ("run",)


def test_a_pickle_with_code_in_a_folder_is_refused(tmp_path, capsys):
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    torch.save({"weight": Harmful()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(AvfError, match=r"holds code or objects besides tensors .*mine\.path"):
        base.build(settings("transformers", "audio", "mine", path=str(tmp_path)))
    assert "run" not in capsys.readouterr().out


def test_folders_that_cannot_be_read_say_why(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    given = settings("transformers", "audio", "mine", path=str(tmp_path))
    with pytest.raises(AvfError, match=r"in several files .*max_shard_size.*mine\.path"):
        base.build(given)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(AvfError, match=r"config\.json: file not found.*mine\.path"):
        base.build(given)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ConfigError, match="a model of the type 'llama', which is not read"):
        base.build(given)
    (tmp_path / "config.json").write_text('{"model_type": "videomae"}')
    with pytest.raises(ConfigError, match=r"reads video\. List 'mine' under features\.video"):
        base.build(given)
    with pytest.raises(AvfError, match=r"no file of weights is given\. Set encoders\.mine\.path"):
        base.build(settings("transformers", "audio", "mine"))


def test_widths_are_known_before_anything_is_encoded(tmp_path, monkeypatch):
    def study(modality, **options):
        return Study(
            corpora={"demo": {"root": "data/demo"}},
            fusions={"concat": {}},
            features={modality: ["mine"]},
            encoders={"mine": options},
        )

    assert widths.width(study("audio", **{"is": "opensmile"}), "mine") == 88
    assert widths.width(study("audio", **{"is": "opensmile", "level": "lld"}), "mine") == 25
    tiny_models.write_onnx(tmp_path / "a.onnx", ["n", 3, 8, 8], width=6)
    given = study("video", **{"is": "onnx", "path": str(tmp_path / "a.onnx")})
    assert widths.width(given, "mine") == 6
    assert widths.width(study("video", **{"is": "onnx"}), "mine") is None
    folder = {"is": "transformers", "path": str(tmp_path)}
    assert widths.width(study("audio", **folder), "mine") is None
    for config, expected in [
        ({"model_type": "wav2vec2", "hidden_size": 1024}, 1024),
        ({"model_type": "whisper", "d_model": 384}, 384),
        ({"model_type": "clip", "vision_config": {"hidden_size": 1280}}, 1280),
        ({"model_type": "clip", "vision_config": {}}, 768),
    ]:
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert widths.width(study("audio", **folder), "mine") == expected
    assert adapter_widths.opensmile({"level": "other"}) is None
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    home = f"~/{tmp_path.name}"
    assert widths.width(study("audio", **folder | {"path": home}), "mine") == 768
    onnx_file = {"is": "onnx", "path": f"{home}/a.onnx"}
    assert widths.width(study("video", **onnx_file), "mine") == 6
    bert = {"is": "bert_words", "path": home}
    (tmp_path / "config.json").write_text('{"hidden_size": 256}')
    assert widths.width(study("text", **bert), "mine") == 256


def test_the_examples_of_the_page_are_valid(project):
    text = (project / "docs/how-to/encoders.md").read_text()
    examples = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    base_of = {"corpora": {"demo": {"root": "data/demo"}}, "fusions": {"concat": {}}}
    assert {entry["is"] for x in examples for entry in x.get("encoders", {}).values()} == set(
        tiny_models.ADAPTERS
    )
    for example in examples:
        found = faults(Study.model_validate(base_of | example), project / "config/protocols")
        assert found == []
