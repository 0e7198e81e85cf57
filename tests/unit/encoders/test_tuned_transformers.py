"""Models of transformers whose last layers are fitted: blocks, examples, resume, refusals."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from avfusion.config.study import Study
from avfusion.doctor.encoder_files import findings
from avfusion.encoders import base
from avfusion.encoders.job import Job
from avfusion.encoders.stage import encode_shard, fit
from avfusion.errors import AvfError, ConfigError, TrainError
from avfusion.lineage.commands import steps
from avfusion.training import loop
from avfusion.training.checkpoint import load_weights
from support import synthetic_media as media
from support import tiny_bert, tiny_models

CLIP_S = media.WINDOWS["clip_s"]
FIT = {"epochs": 1, "most": 6, "batch": 3, "lr": 1e-2, "fit_hz": 1.0}
SPEECH = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "whisper")
MODALITY = dict.fromkeys(SPEECH, "audio") | {"bert": "text", "roberta": "text"}
PICTURES = ("videomae", "dinov2", "vit", "clip")
KINDS = [*MODALITY, *PICTURES]
ONE_EACH = ["wav2vec2", "dinov2", "videomae", "bert"]

pytestmark = pytest.mark.usefixtures("transformers")


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folders(tmp_path_factory, transformers):
    """Path of a folder of each kind; made on first use."""
    root, made = tmp_path_factory.mktemp("folders"), {}

    def path(kind: str) -> str:
        if kind not in made:
            write = {"bert": tiny_bert.write_bert, "roberta": tiny_models.write_roberta}
            if kind in write:
                made[kind] = str(write[kind](root / kind))
            else:
                made[kind] = str(tiny_models.write_transformers(kind, root / kind))
        return made[kind]

    return path


def settings(kind: str, path: str, **options):
    given = {"layers": [-2, -1], "path": path, **options}
    if kind == "whisper":
        given = {"chunk_s": 1.0, "margin_s": 0.5} | given
    changes = {"modality": MODALITY.get(kind, "video"), "encoder": "mine"}
    return media.settings("transformers", **given).updated(**changes)


@pytest.fixture
def corpus(tmp_path):
    return media.make_corpus(tmp_path / "results", {"train": 2, "validation": 1}, seconds=3)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    rng = np.random.default_rng(3)
    return media.make_record(tmp_path_factory.mktemp("one") / "r", media.course(rng, 5.3), rng)


def encoded(layout, given) -> np.ndarray:
    encode_shard("tiny", (0, 1), given.updated(root=layout.results), layout)
    return np.load(layout.features("tiny", "mine") / "train_0.npy").astype(float)


def fitted(layout, given) -> tuple[dict[str, torch.Tensor], dict]:
    fit("tiny", given.updated(root=layout.results), layout)
    return load_weights(layout.encoder("tiny", "mine") / "best.safetensors")


def layer_of(name: str) -> int | None:
    """The number of the layer that a weight belongs to, from 0; None outside the layers."""
    parts = name.split(".")
    at = next((i for i, part in enumerate(parts) if part in ("layer", "layers")), None)
    inside = at is not None and "pos_conv_embed" not in parts
    return int(parts[at + 1]) if inside else None


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_changes_only_the_last_layer_and_the_output_layer(kind, folders, corpus):
    frozen = settings(kind, folders(kind))
    before = encoded(corpus, frozen)
    net = base.build(frozen).net.state_dict()
    given = settings(kind, folders(kind), blocks=1, **FIT)
    encoder = base.build(given)
    assert encoder.fitted
    assert encoder.block_count == 4  # of three layers
    weights, document = fitted(corpus, given)
    assert set(weights) == set(net)
    changed = {name for name, x in weights.items() if not torch.equal(x, net[name].cpu())}
    inside = {name for name in changed if not name.startswith("rate.")}
    assert {layer_of(name) for name in inside} == {2}
    last = {name for name in weights if layer_of(name) == 2}
    assert len(inside) > len(last) / 2, last - inside
    assert document["weights"]["sha256"] == encoder.file.sha256
    after = encoded(corpus, given)
    assert np.array_equal(np.isnan(after), np.isnan(before))
    assert np.nanmax(np.abs(after - before)) > 1e-3
    np.testing.assert_array_equal(encoded(corpus, frozen), before)


@pytest.mark.parametrize("kind", KINDS)
def test_block_0_is_what_features_depend_on_outside_the_layers(kind, folders):
    """Every weight of a block has a gradient, and no weight outside them; all layers or some."""
    for layers in ([-1], [1]):
        encoder = base.build(settings(kind, folders(kind), layers=layers, blocks=1))
        top = layers[0] % 4
        assert encoder.block_count == 1 + top
        net = encoder.new_backbone()
        blocks = [{id(x) for x in block.parameters()} for block in net.blocks()]
        inside = set.union(*blocks)
        assert sum(map(len, blocks)) == len(inside)
        net(encoder.reader.smallest()).sum().backward()
        with_gradient = {id(x) for x in net.parameters() if x.grad is not None}
        assert with_gradient == inside
        for name, x in net.named_parameters():
            number = layer_of(name)
            if number is not None and number < top:
                assert id(x) in blocks[number + 1], name
            elif number is not None:
                assert id(x) not in inside, name
        assert blocks[0]


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "wavlm", "data2vec-audio"])
def test_an_example_of_sound_is_a_chunk_of_the_length_of_a_clip(kind, folders, record):
    """With chunks that are the clips, the fit reads what encoding reads, at both ends too."""
    given = settings(kind, folders(kind), chunk_s=CLIP_S, margin_s=0.5, blocks=1)
    encoder = base.build(given)
    ends_s = np.arange(1, 9) * CLIP_S
    check_rows(encoder, given, record, ends_s, atol=1e-4)


@pytest.mark.parametrize("kind", SPEECH)
def test_an_example_of_a_short_video_is_all_of_it(kind, folders, tmp_path):
    """Videos of two lengths, whose examples are joined, read the same sound as encoding."""
    given = settings(kind, folders(kind), chunk_s=1.0, margin_s=1.0, blocks=1)
    encoder = base.build(given)
    parts, rows = [], []
    for seconds in (0.96, 1.2):
        rng = np.random.default_rng(7)
        short = media.make_record(tmp_path / str(seconds), media.course(rng, seconds), rng)
        ends_s = np.array([0.64, 0.8, 0.96])
        encoder.clip_s = CLIP_S
        parts.append(encoder.inputs(short, ends_s))
        encoder.net = encoder.new_net(given).eval().requires_grad_(False)
        rows.append(encoder.encode(short, ends_s, CLIP_S))
    joined = torch.cat(parts)
    assert joined.isnan().any()
    found = encoder.embed(joined).numpy()
    np.testing.assert_allclose(found, np.concatenate(rows), atol=1e-4)


def check_rows(encoder, given, record, ends_s, atol):
    """Rows of the fitted network on examples against `encode`."""
    encoder.net = encoder.new_net(given).eval().requires_grad_(False)
    encoder.clip_s = CLIP_S
    inputs = encoder.inputs(record, ends_s)
    inputs = inputs if isinstance(inputs, torch.Tensor) else inputs[torch.arange(len(inputs))]
    found, rows = encoder.embed(inputs).numpy(), encoder.encode(record, ends_s, CLIP_S)
    assert rows.std(0).max() > 1e-3
    np.testing.assert_allclose(found, rows, atol=atol)


def test_an_example_of_videomae_is_the_faces_of_the_clip(folders, record):
    given = settings("videomae", folders("videomae"), blocks=1)
    check_rows(base.build(given), given, record, np.array([1.28, 2.0, 5.12]), atol=1e-5)


@pytest.mark.parametrize("kind", ["dinov2", "vit", "clip"])
def test_an_example_of_a_picture_model_is_one_face(kind, folders, record):
    """A clip so short that it has one face, whose row is that of the face."""
    given = settings(kind, folders(kind), blocks=1, frame_hz=25.0)
    encoder = base.build(given)
    times_s = record.frames["time_s"].to_numpy()[record.with_face][[3, 30, 60]]
    encoder.net = encoder.new_net(given).eval().requires_grad_(False)
    found = encoder.embed(encoder.reader.inputs(record, times_s, CLIP_S)).numpy()
    rows = encoder.encode(record, times_s, 0.01)
    np.testing.assert_allclose(found, rows, atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_an_example_of_text_is_the_words_of_the_clip_without_padding(kind, folders):
    """Transcripts without other words, in one batch; of too many words, the latest are kept."""
    given = settings(kind, folders(kind), blocks=1, context_s=3.0)
    encoder = base.build(given)
    encoder.net = encoder.new_net(given).eval().requires_grad_(False)
    words = [("good0", 0.1, 0.4), ("bad2", 0.5, 0.9), ("zebra", 2.1, 2.2)]
    ends_s = np.array([2.5])
    parts, rows = [], []
    for chosen in (words, words[2:], words[1:]):
        record = media.transcript(chosen, 3.0)
        parts.append(encoder.reader.inputs(record, ends_s, CLIP_S))
        rows.append(encoder.encode(record, ends_s, CLIP_S))
    found = encoder.embed(torch.cat(parts)).numpy()
    np.testing.assert_allclose(found, np.concatenate(rows), atol=1e-5)
    many = [("good0", 0.02 * n, 0.02 * n + 0.01) for n in range(100)]
    latest = encoder.reader.inputs(media.transcript(many, 3.0), ends_s, CLIP_S)
    assert latest.shape == (1, 2, encoder.reader.most + 2)
    kept = int((latest[0, 1] > 0).sum())
    pieces = len(encoder.reader._pieces("good0"))
    assert encoder.reader.most - pieces < kept <= encoder.reader.most
    assert encoder.embed(latest).isfinite().all()


def test_layers_are_released_last_first_and_then_the_convolutions(folders, corpus):
    options = {"blocks": 4, "release": 4, "release_when": "epochs", "release_after": 1}
    given = settings("wav2vec2", folders("wav2vec2"), **options, **FIT | {"epochs": 5})
    fitted(corpus, given)
    folder = corpus.encoder("tiny", "mine")
    assert pd.read_csv(folder / "epochs.csv")["stage"].tolist() == [0, 1, 2, 3, 4]
    net = base.build(settings("wav2vec2", folders("wav2vec2"))).net.state_dict()
    changed = []
    for stage in range(5):
        raw = (folder / f"stage{stage}" / "state.pt").read_bytes().partition(b"\n")[2]
        (folder / "raw.pt").write_bytes(raw)
        state = torch.load(folder / "raw.pt", weights_only=True)["model"]
        names = {n for n, x in state.items() if not torch.equal(x.cpu(), net[n].cpu())}
        changed.append({layer_of(name) for name in names if not name.startswith("rate.")})
    assert changed == [set(), {2}, {1, 2}, {0, 1, 2}, {None, 0, 1, 2}]
    convolution = "backbone.hidden.net.feature_extractor.conv_layers.0.conv.weight"
    assert convolution in names
    assert "backbone.hidden.net.masked_spec_embed" not in names


@pytest.mark.parametrize("kind", ONE_EACH)
def test_a_killed_fit_goes_on_to_the_same_bits(kind, folders, tmp_path, monkeypatch):
    options = {"blocks": 2, "release": 2, "release_when": "epochs", "release_after": 1}
    given = settings(kind, folders(kind), **options, **FIT | {"epochs": 3})
    complete, killed = (
        media.make_corpus(tmp_path / n, {"train": 2, "validation": 1}, 3) for n in "ab"
    )
    fitted(complete, given)
    save = loop.save_state

    def save_then_die(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        fitted(killed, given)
    monkeypatch.undo()
    fitted(killed, given)
    for name in ("best.safetensors", "epochs.csv"):
        one, other = (layout.encoder("tiny", "mine") / name for layout in (complete, killed))
        assert one.read_bytes() == other.read_bytes()


def test_weights_that_a_folder_lacks_do_not_change_a_fit(folders, tmp_path):
    """A pooler that is not in the file would be random; no number depends on it."""
    rows = []
    for name in "ab":
        folder = tiny_bert.write_bert(tmp_path / name)
        tensors = load_file(folder / "model.safetensors")
        kept = {key: x for key, x in tensors.items() if "pooler" not in key}
        save_file(kept, folder / "model.safetensors")
        layout = media.make_corpus(tmp_path / f"of_{name}", {"train": 2, "validation": 1}, 3)
        torch.manual_seed(ord(name))
        given = settings("bert", str(folder), blocks=1, **FIT)
        fitted(layout, given)
        rows.append((layout.encoder("tiny", "mine") / "best.safetensors").read_bytes())
    assert rows[0] == rows[1]


@pytest.mark.parametrize("kind", ONE_EACH)
def test_blocks_and_options_that_do_not_exist_are_refused(kind, folders):
    path = folders(kind)
    with pytest.raises(ConfigError, match=r"mine: `blocks` must be 0 to 4, found 5"):
        base.build(settings(kind, path, blocks=5))
    with pytest.raises(ConfigError, match=r"mine: `blocks` must be 0 to 2, found 3"):
        base.build(settings(kind, path, blocks=3, layers=[1]))
    with pytest.raises(ConfigError, match=r"mine: `release` must be 0 to 1"):
        base.build(settings(kind, path, blocks=1, release=2))
    with pytest.raises(AvfError, match=r"mine: no file of weights is given\. Set .*mine\.path"):
        base.build(settings(kind, "", blocks=1))
    match = "flip` must be 0 to 1" if kind in PICTURES else "`flip` has no meaning for"
    with pytest.raises(ConfigError, match=match):
        base.build(settings(kind, path, flip=2.0))


def test_clips_longer_than_whisper_reads_are_refused(folders, record):
    encoder = base.build(settings("whisper", folders("whisper"), blocks=1, margin_s=1.0))
    with pytest.raises(ConfigError, match=r"a clip with .* is 3\.5 s, and this .*windows\.clip_s"):
        encoder.reader.inputs(record, np.array([4.0]), 1.5)


def test_a_fit_of_other_weights_is_refused(folders, corpus, tmp_path):
    given = settings("dinov2", folders("dinov2"), blocks=1, **FIT)
    fitted(corpus, given)
    document = json.loads((corpus.encoder("tiny", "mine") / "settings.json").read_text())
    assert document["weights"]["preprocessing"]["crop_px"] == 112
    other = str(tiny_models.write_transformers("dinov2", tmp_path / "other", seed=5))
    with pytest.raises(
        TrainError, match=r"fitted under other settings .* avf fit-encoder tiny mine"
    ):
        Job("tiny", settings("dinov2", other, blocks=1, **FIT), corpus)
    Job("tiny", given, corpus)


def test_a_frozen_model_is_not_fitted_and_keeps_its_note(folders, corpus):
    given = settings("bert", folders("bert"), blocks=0)
    with pytest.raises(AvfError, match="is pretrained"):
        fitted(corpus, given)
    note = Job("tiny", given.updated(root=corpus.results), corpus).weights_sha256
    assert set(note) == {"file", "sha256", "files", "left_out", "preprocessing"}
    document = json.loads((corpus.encoder("tiny", "mine") / "settings.json").read_text())
    assert document == {"settings": given.lasting, "weights": json.loads(json.dumps(note))}


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"path": "a"}, False), ({"path": "a", "blocks": 2}, True), ({}, False)],
)
def test_the_config_tells_whether_the_model_is_fitted(options, expected):
    study = Study(
        corpora={"demo": {"root": "data/demo"}},
        fusions={"concat": {}},
        features={"audio": ["mine"]},
        encoders={"mine": {"is": "transformers", **options}},
    )
    assert study.fitted("mine") is expected
    commands = [step.words for step in steps("demo", study, "results")]
    assert ("avf fit-encoder demo mine" in commands) is expected
    assert [finding.verdict for finding in findings(study)] == ["MISSING"]
