"""Fitting and encoding: stages, refusals, and the expression network against its origin."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from avfusion.config.study import Study
from avfusion.encoders import base, expression_net
from avfusion.encoders.expression_net import LABELS, WEIGHTS, pretrained
from avfusion.encoders.faces import thin
from avfusion.encoders.job import Job, Opened
from avfusion.encoders.stage import encode_shard, fit
from avfusion.errors import AvfError, TrainError
from avfusion.features.store import FeatureStore
from avfusion.io.shards import join
from avfusion.media.store import MediaRecord
from support import synthetic_media as media

FITTED = ("face_cnn", "mel_cnn", "face_tuned")


def picture(name: str) -> torch.Tensor:
    import cv2

    bgr = cv2.imread(f"tests/support/assets/face_{name}.png")
    return torch.from_numpy(bgr[None, ..., ::-1].copy())  # (1, 112, 112, 3)


@pytest.mark.parametrize(("name", "shown"), [("astronaut", "happy"), ("mona_lisa", "neutral")])
def test_faces_show_what_one_sees(name, shown):
    posteriors = pretrained()(picture(name))[1][0]
    assert LABELS[posteriors.argmax()] == shown
    assert posteriors.sum() == pytest.approx(1, abs=1e-5)


def test_the_port_agrees_with_face_api_itself():
    """Expected: face-api 1.7.15's settings code (TensorFlow.js, CPU) on tests/assets' Mona Lisa."""
    embedding, posteriors = pretrained()(picture("mona_lisa"))
    first = [1.23561, 0.36228, 0.43664, 0, 1.22806, 1.57669, 0, 0]
    np.testing.assert_allclose(embedding[0, :8], first, atol=2e-5)
    assert embedding.sum().item() == pytest.approx(155.5953, abs=1e-3)
    expected = [0.96835, 0.03114, 0.00032, 0.0, 0.0, 0.0, 0.00018]
    np.testing.assert_allclose(posteriors[0], expected, atol=1e-5)


def convolve(x: np.ndarray, depth: np.ndarray, point: np.ndarray, bias: np.ndarray, step: int):
    """A separable convolution (C, H, W), "same" at stride 1, one row and column below at 2."""
    padding = (1, 1) if step == 1 else (0, 1)
    x = np.pad(x, ((0, 0), padding, padding))
    views = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::step, ::step]
    spread = np.einsum("chwij,cij->chw", views, depth[:, 0])
    return np.einsum("oc,chw->ohw", point[:, :, 0, 0], spread) + bias[:, None, None]


def test_a_dense_block_is_its_equations():
    """The last block against its equations in NumPy, in double precision."""
    w = load_file(WEIGHTS)
    x = np.random.default_rng(0).uniform(0, 1, (128, 14, 14))

    def c(number: int, x: np.ndarray) -> np.ndarray:
        key = f"blocks.3.convolutions.{number}"
        parts = (w[f"{key}.0.weight"], w[f"{key}.1.weight"], w[f"{key}.1.bias"])
        return convolve(x, *(p.astype(np.float64) for p in parts), 2 if number == 0 else 1)

    o1 = np.maximum(c(0, x), 0)
    o2 = c(1, o1)
    o3 = c(2, np.maximum(o1 + o2, 0))
    o4 = c(3, np.maximum(o1 + o2 + o3, 0))
    expected = np.maximum(o1 + o2 + o3 + o4, 0)
    block = pretrained().blocks[3](torch.from_numpy(x[None]).float())[0]
    np.testing.assert_allclose(block, expected, rtol=1e-4, atol=1e-4)


def test_a_larger_picture_of_the_face_reads_alike():
    small = picture("astronaut")
    large = small.repeat_interleave(2, 1).repeat_interleave(2, 2)
    one, two = pretrained()(small)[0], pretrained()(large)[0]
    assert torch.nn.functional.cosine_similarity(one, two).item() > 0.95


def test_replaced_weights_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "face_expression.safetensors"
    other.write_bytes(WEIGHTS.read_bytes()[:-1] + b"\x07")
    monkeypatch.setattr(expression_net, "WEIGHTS", other)
    with pytest.raises(AvfError, match="SHA-256"):
        pretrained()


def test_posteriors_can_be_added():
    plain, more = (base.build(media.settings("face_expression", posteriors=p)) for p in (0, 1))
    assert (plain.dim, more.dim) == (256, 263)
    assert more.embed(picture("astronaut")).shape == (1, 263)


def test_tuning_begins_at_the_pretrained_network_and_changes_its_last_blocks_alone(tmp_path):
    settings = media.settings("face_tuned", epochs=1, lr=1e-3)
    begun = base.build(settings).new_net(settings).eval()
    face = picture("astronaut")
    assert torch.equal(begun(face)[0], pretrained()(face)[0])
    layout = media.make_corpus(tmp_path, {"train": 2, "validation": 1}, seconds=3)
    fit("tiny", settings, layout)
    tuned = base.build(settings)
    tuned.load(layout.encoder("tiny", "face_tuned") / "best.safetensors", settings)
    pairs = zip(begun.look.blocks, tuned.net.look.blocks, strict=True)
    same = [
        all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
        for one, other in pairs
    ]
    assert same == [True, True, False, False]


def test_a_pretrained_encoder_is_not_fitted(tmp_path):
    with pytest.raises(AvfError, match=r"pretrained.*avf encode tiny face_expression"):
        fit("tiny", media.settings("face_expression"), media.Layout(tmp_path))


def test_thinning_takes_one_instant_a_cell():
    times = np.arange(100) / 25
    assert np.diff(times[thin(times, 12.5)]) == pytest.approx(0.08)
    assert len(thin(times, 100)) == 100


PARTITIONS = {"train": 5, "validation": 2, "test": 1}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return media.make_corpus(tmp_path_factory.mktemp("tiny"), PARTITIONS, seconds=10)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITTED)
def test_a_fit_learns_what_is_shown(name, corpus):
    """On validation videos, whose faces and sounds were not trained on."""
    fit("tiny", media.settings(name), corpus)
    scores = pd.read_csv(corpus.encoder("tiny", name) / "epochs.csv")
    assert scores[["valence", "arousal"]].max().min() > 0.5


@pytest.fixture(scope="module", params=FITTED)
def fitted(request, tmp_path_factory):
    """An encoder's settings and its folder after a short fit."""
    settings = media.settings(request.param, epochs=2)
    layout = media.make_corpus(tmp_path_factory.mktemp("short"), PARTITIONS, seconds=4)
    fit("tiny", settings, layout)
    return settings, layout.encoder("tiny", request.param)


def refit(settings, results, change) -> bytes:
    """Weights of the same fit on the same corpus, but for one change of the gold."""
    layout = media.make_corpus(results, PARTITIONS, seconds=4)
    gold = pd.read_parquet(layout.gold("tiny"))
    change(gold)
    gold.to_parquet(layout.gold("tiny"))
    fit("tiny", settings, layout)
    return (layout.encoder("tiny", settings.encoder) / "best.safetensors").read_bytes()


def test_a_fit_repeats_to_the_same_bits_and_never_reads_test_gold(fitted, tmp_path):
    def swap(gold: pd.DataFrame) -> None:
        test = gold["video"].str.startswith("test")
        both = ["valence", "arousal"]
        gold.loc[test, both] = gold.loc[test, both[::-1]].to_numpy()[::-1]

    settings, folder = fitted
    assert refit(settings, tmp_path, swap) == (folder / "best.safetensors").read_bytes()


def test_train_gold_does_change_the_weights(fitted, tmp_path):
    def turn(gold: pd.DataFrame) -> None:
        gold.loc[gold["video"] == "train_0", "valence"] *= -1

    settings, folder = fitted
    assert refit(settings, tmp_path, turn) != (folder / "best.safetensors").read_bytes()


def test_weights_of_other_settings_are_refused(fitted):
    settings, folder = fitted
    changed = settings.updated(options={"seed": 7})
    with pytest.raises(TrainError, match="avf fit-encoder"):
        base.build(changed).load(folder / "best.safetensors", changed)


def test_an_encoder_not_yet_fitted_does_not_encode(tmp_path):
    with pytest.raises(TrainError, match="no such weights"):
        base.build(media.settings("mel_cnn")).load(
            tmp_path / "best.safetensors", media.settings("mel_cnn")
        )


def test_without_rated_train_videos_a_fit_says_so(tmp_path):
    layout = media.make_corpus(tmp_path, {"train": 1, "validation": 1}, seconds=2)
    gold = pd.read_parquet(layout.gold("tiny"))
    gold.loc[gold["video"] == "train_0", ["valence", "arousal"]] = np.nan
    gold.to_parquet(layout.gold("tiny"))
    with pytest.raises(
        TrainError, match=r"no rated train video.*set `\w+: \[\]`.*into train, by.*avf verify tiny"
    ):
        fit("tiny", media.settings("mel_cnn"), layout)


def test_two_entries_of_one_class_have_their_own_weights_and_features(tmp_path):
    layout = media.make_corpus(tmp_path, {"train": 2, "validation": 1, "test": 1}, seconds=3)
    shape = {"bands": 40, "window_s": 0.05, "hop_s": 0.02}
    options = {"mel_a": {"epochs": 2}, "mel_b": {"epochs": 3, **shape}}
    study = Study(
        corpora={"tiny": {"root": "."}},
        encoders={name: {"is": "mel_cnn", **given} for name, given in options.items()},
        features={"audio": ["mel_a", "mel_b"]},
        fusions={"ca": {}},
    )
    rows = {}
    for name, given in options.items():
        settings = study.encoder_settings(name, "tiny")
        assert (settings.encoder, settings.class_) == (name, "mel_cnn")
        fit("tiny", settings, layout)
        folder = layout.encoder("tiny", name)
        assert len(pd.read_csv(folder / "epochs.csv")) == given["epochs"]
        written = json.loads((folder / "settings.json").read_text())["settings"]
        assert (written["encoder"], written["options"]) == (name, given)
        encode_shard("tiny", (0, 1), settings, layout)
        join(layout.features("tiny", name))
        store = FeatureStore.open(layout.features("tiny", name) / "index.parquet")
        rows[name] = store.load("test_0").rows
    assert not layout.encoder("tiny", "mel_cnn").exists()
    assert not layout.features("tiny", "mel_cnn").exists()
    assert not np.array_equal(rows["mel_a"], rows["mel_b"], equal_nan=True)
    settings = study.encoder_settings("mel_a")
    with pytest.raises(TrainError, match="avf fit-encoder tiny mel_a"):
        base.build(settings).load(layout.encoder("tiny", "mel_b") / "best.safetensors", settings)


def test_a_key_depends_on_class_options_windows_code_and_weights_not_on_the_name(tmp_path):
    def key(weights: str = "1", **changes: object) -> str:
        settings = media.settings("face_expression").updated(**changes)
        job = Job("tiny", settings, media.Layout(tmp_path))
        job.weights_sha256 = weights
        return job._key("record")

    windows = media.settings("face_expression").windows.model_copy(update={"hop_s": 0.32})
    others = [
        key(weights="2"),
        key(options={"posteriors": True}),
        key(windows=windows),
        key(code="1" * 16),
        key(class_="arrays_video", root=tmp_path),
    ]
    assert key() not in others
    assert len(set(others)) == len(others)
    assert key(encoder="face_again") == key()


@pytest.fixture
def fresh(tmp_path):
    """A corpus of which one video failed in the media stage and one is damaged since."""
    layout = media.make_corpus(tmp_path, {"train": 2, "test": 2}, seconds=2)
    index = pd.read_parquet(layout.media("tiny") / "index.parquet")
    index.loc[index["video"] == "test_1", ["status", "reason"]] = ["failed", "test_1.mp4: empty."]
    index.to_parquet(layout.media("tiny") / "index.parquet")
    (layout.media("tiny") / "train_1" / "faces.zip").write_bytes(b"not a zip")
    return layout


def encode(layout, **options) -> pd.DataFrame:
    settings = media.settings("face_expression", **options)
    for number in (0, 1):
        encode_shard("tiny", (number, 2), settings, layout)
    return join(layout.features("tiny", "face_expression")).set_index("video")


def test_bad_videos_keep_a_row_with_the_reason_and_cost_no_other(fresh):
    index = encode(fresh)
    assert index["status"].to_dict() == {
        "test_0": "ok",
        "test_1": "failed",
        "train_0": "ok",
        "train_1": "failed",
    }
    assert index.loc["test_1", "reason"] == "test_1.mp4: empty."
    assert "faces.zip" in index.loc["train_1", "reason"]
    assert "avf encode tiny face_expression" in index.loc["train_1", "reason"]
    store = FeatureStore.open(fresh.features("tiny", "face_expression") / "index.parquet")
    assert store.videos == ["test_0", "train_0"]
    assert store.load("test_0").rows.shape == (12, 256)


def test_what_is_encoded_is_kept_and_what_changed_is_encoded_again(fresh):
    encode(fresh)
    folder = fresh.features("tiny", "face_expression")
    written = (folder / "train_0.npy").stat().st_mtime_ns
    encode(fresh)
    assert (folder / "train_0.npy").stat().st_mtime_ns == written
    (folder / "train_0.npy").write_bytes(b"cut")
    encode(fresh)
    FeatureStore.open(folder / "index.parquet").load("train_0")
    assert encode(fresh, posteriors=True).loc["train_0", "dim"] == 263
    rng = np.random.default_rng(77)
    media.make_record(fresh.media("tiny") / "train_0", media.course(rng, 3.2), rng)
    assert encode(fresh, posteriors=True).loc["train_0", "rows"] == 20


def test_a_stopped_shard_goes_on_where_it_was(fresh, monkeypatch):
    opened = MediaRecord.open.__func__

    def stop_at_last(cls, folder):
        if folder.name == "train_0":
            raise KeyboardInterrupt
        return opened(cls, folder)

    encode(fresh)
    expected = (fresh.features("tiny", "face_expression") / "train_0.npy").read_bytes()
    for path in fresh.features("tiny", "face_expression").iterdir():
        path.unlink()
    monkeypatch.setattr(MediaRecord, "open", classmethod(stop_at_last))
    with pytest.raises(KeyboardInterrupt):
        encode(fresh)
    assert not list(fresh.features("tiny", "face_expression").glob("*.half*"))
    monkeypatch.undo()
    encode(fresh)
    continued = (fresh.features("tiny", "face_expression") / "train_0.npy").read_bytes()
    assert continued == expected


def test_encoding_before_the_media_stage_says_what_to_run(tmp_path):
    with pytest.raises(AvfError, match=r"avf media tiny.*avf index"):
        encode_shard("tiny", (0, 1), media.settings("face_expression"), media.Layout(tmp_path))


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "gave NaN as feature 3"), (np.inf, "gave inf")]
)
def test_an_outside_encoder_must_give_numbers(fresh, monkeypatch, value, said):
    settings = media.settings("face_expression")
    settings = settings.model_copy(update={"outside": {"encoder face_expression": "lab 1.2"}})
    job = Job("tiny", settings, fresh)

    def encode(record, ends_s, clip_s):
        rows = np.ones((len(ends_s), job.encoder.dim), np.float32)
        rows[0], rows[1, 3] = np.nan, value  # absent as a whole, and a wrong number
        return rows

    monkeypatch.setattr(job.encoder, "encode", encode)
    row = job.row(Opened("train_0", *opened(job, "train_0")))
    assert row["status"] == "failed"
    assert row["reason"].startswith("train_0: face_expression " + said)


def opened(job, video):
    """Return the record, key and clip ends of a video, without inputs that are read ahead."""
    made = job.opened(video)
    return made.record, made.key, made.ends_s
