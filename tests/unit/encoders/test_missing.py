"""Test that a row that is present does not depend on the input that is missing, per encoder."""

import io
import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from avfusion.config.contexts import context_of, encoded_again
from avfusion.config.study import Study
from avfusion.encoders.base import build
from avfusion.encoders.corrupt import corrupt_features, open_store
from avfusion.encoders.corrupt_records import inside
from avfusion.encoders.stage import encode_shard
from avfusion.features.corrupt import corrupted, removed_spans
from avfusion.features.store import FeatureStore
from avfusion.io.shards import join, write_table
from avfusion.layout import Layout
from avfusion.media import noise
from avfusion.media.clips import clip_ends
from avfusion.media.read import read_video
from avfusion.media.store import MediaRecord
from avfusion.registry import encoders
from avfusion.training.checkpoint import save_weights
from support import odd_videos, tiny_models

SECONDS, RATE_HZ, LEVEL = 5.0, 16_000, 0.3
LISTED = {"audio": "mel_cnn", "video": "face_expression"}
KINDS = {
    "mel_cnn": ("audio", {}),
    "mel_cnn_plain": ("audio", {"is": "mel_cnn", "at_rest": False}),
    "opensmile": ("audio", {}),
    "wav2vec2": ("audio", {"is": "transformers"}),
    "face_cnn": ("video", {}),
    "face_cnn_plain": ("video", {"is": "face_cnn", "at_rest": False}),
    "face_expression": ("video", {}),
    "dinov2": ("video", {"is": "transformers"}),
}
"""Encoders of a bounded context, of the complete video, of chunks, and of a clip."""

SEE_MORE = {"mel_cnn", "mel_cnn_plain", "opensmile", "wav2vec2", "face_cnn"}
"""Those that see more than a clip."""

BLOCKS = ("mel_cnn", "face_expression")
"""Those that are also tested with one block."""


def study_of(name: str, kind: str, folder) -> Study:
    """A study of one encoder under missing input."""
    modality, options = KINDS[name]
    if options.get("is") == "transformers":
        pytest.importorskip("transformers")
        options = options | tiny_models.options("transformers", modality, folder / name)
    elif name == "opensmile":
        pytest.importorskip("opensmile")
    listed = {modality: [name]} | {m: [e] for m, e in LISTED.items() if m != modality}
    return Study(
        corpora={"odd": {"root": "."}},
        fusions={"ca": {}},
        features=listed,
        encoders={name: options},
        robustness={f"{modality}_{kind}": [LEVEL]},
    )


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A layout with the media of one video."""
    folder = tmp_path_factory.mktemp("missing")
    layout = Layout(folder / "results")
    rng = np.random.default_rng(0)
    images = odd_videos.pictures(round(8 * SECONDS))
    for image in images:
        image += rng.integers(0, 12, image.shape, np.uint8)
    sound = (0.1 * rng.normal(size=round(SECONDS * RATE_HZ))).astype(np.float32)
    times_ms = [round(1000 * SECONDS * i / len(images)) for i in range(len(images))]
    path = folder / "v0.mkv"
    odd_videos.write(path, images, times_ms, audio=[(0.0, sound)], form="matroska")
    settings = Study(corpora={"odd": {"root": "."}}, fusions={"ca": {}}).media
    settings = settings.model_copy(update={"read_hz": None})
    read_video(path, layout.media("odd") / "v0", settings, key="v0")
    return layout


def replaced(layout: Layout, folder, modality: str, spans_s) -> Layout:
    """Copy the media with noise in the place of what is missing."""
    other = Layout(folder / "other")
    record = other.media("odd") / "v0"
    shutil.copytree(layout.media("odd") / "v0", record)
    rng = np.random.default_rng(1)
    if modality == "audio":
        sound = np.load(record / "sound.npy")
        about = json.loads((record / "meta.json").read_text())["sound"]["stored"]
        at = np.concatenate([np.arange(start, start + n) for start, n in about["spans"]])
        gone = np.zeros(len(at), bool)
        for begin_s, end_s in spans_s:
            low, high = (round(second * about["rate_hz"]) for second in (begin_s, end_s))
            gone |= (at >= low) & (at < high)
        sound[gone] = rng.integers(-30_000, 30_000, gone.sum())
        np.save(record / "sound.npy", sound)
        return other
    clean = MediaRecord.open(record)
    gone = inside(clean.frames["time_s"].to_numpy(), spans_s)
    names = {clean._crop_name(frame): frame for frame in clean.with_face}
    with zipfile.ZipFile(record / "faces.zip") as archive:
        crops = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(record / "faces.zip", "w") as archive:
        for name, crop in crops.items():
            if gone[names[name]]:
                side = clean.meta["face_px"]
                image = rng.integers(0, 256, (side, side, 3), np.uint8)
                file = io.BytesIO()
                Image.fromarray(image).save(file, "JPEG")
                crop = file.getvalue()
            archive.writestr(name, crop)
    return other


def rows(study: Study, layout: Layout, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the clean rows of the encoder, and those under missing input."""
    table = pd.DataFrame({"video": ["v0"], "partition": ["test"], "status": ["ok"]})
    write_table(table, layout.manifest("odd"))
    write_table(table.assign(reason=None), layout.media("odd") / "index.parquet")
    settings = study.encoder_settings(name, "odd")
    if study.fitted(name):
        torch.manual_seed(0)
        net = build(settings).new_net(settings)
        weights = layout.encoder("odd", name) / "best.safetensors"
        save_weights(weights, net.state_dict(), {"settings": settings.lasting})
    encode_shard("odd", (0, 1), settings, layout)
    join(layout.features("odd", name))
    clean = FeatureStore.open(layout.features("odd", name) / "index.parquet")
    ((corruption, (level,)),) = study.robustness.items()
    robust, store = study.robust_settings(), clean
    if name in robust.encoded[corruption]:
        assert study.signal_cases() == [(corruption, f"{level:g}", name)]
        case = corruption, level
        corrupt_features("odd", case, "test", study.signal_settings(name), layout)
        store = open_store("odd", case, name, clean, layout)
    given = study.windows, {name: np.ones(clean.dim)}, robust.draw, robust.stated(corruption)
    changed = corrupted({name: store}, corruption, level, *given)[name]
    return np.array(clean.load("v0").rows), np.array(changed.load("v0").rows)


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, "missing") for name in KINDS), *((name, "missing_block") for name in BLOCKS)],
)
def test_a_row_that_is_present_does_not_depend_on_what_is_missing(name, kind, media, tmp_path):
    study, modality = study_of(name, kind, tmp_path), KINDS[name][0]
    cuts, seed = study.windows, study.statistics.seed
    count = len(clip_ends(MediaRecord.open(media.media("odd") / "v0").duration_s, cuts.hop_s))
    spans_s = removed_spans(f"{modality}_{kind}", LEVEL, "v0", count, cuts, seed)
    assert len(spans_s) == round(LEVEL * -(-count // 4))
    other = replaced(media, tmp_path, modality, spans_s)
    clean, missing = rows(study, Layout(shutil.copytree(media.results, tmp_path / "a")), name)
    clean_other, missing_other = rows(study, other, name)
    assert len(clean) == count
    np.testing.assert_array_equal(missing, missing_other)
    absent = np.isnan(missing).all(1)
    ends_s = np.arange(1, count + 1) * cuts.hop_s
    overlap = [any(e - cuts.clip_s < stop - 1e-6 and e > start + 1e-6 for start, stop in spans_s)
               for e in ends_s]  # fmt: skip
    np.testing.assert_array_equal(absent, overlap)
    assert 0 < absent.mean() < 1
    # Without encoding again, rows that do not overlap what is missing would still hold it.
    leaks = (clean != clean_other)[~absent].any()
    assert leaks == (name in SEE_MORE)
    assert not leaks or name in study.encoded_again(f"{modality}_{kind}")


def test_sound_is_cut_exactly_however_it_comes_in_pieces():
    sound, spans_s = np.arange(1, 101, dtype=np.float32), [(0.1, 0.2), (0.2, 0.25), (0.9, 1.2)]
    wanted = sound.copy()
    wanted[10:25] = wanted[90:] = 0
    for cuts in ([], [50], [5, 10, 15, 25, 95], list(range(1, 100))):
        starts = [0, *cuts]
        pieces = list(zip(starts, np.split(sound, cuts), strict=True))
        found = np.zeros(100, np.float32)
        for start, samples in noise.without(pieces, spans_s, 100):
            assert len(samples)
            found[start : start + len(samples)] += samples
        np.testing.assert_array_equal(found, wanted)


def test_stated_contexts_are_what_the_networks_read():
    for name in ("vggish", "cnn2d_spectrogram"):
        kind = encoders.get(name)
        assert context_of(name, {}, 0.1) == (kind.samples / kind.rate_hz, 0)
    assert context_of("resnet18_two_stream", {"samples": 47_040}, 0.1)[0] == 47_040 / 44_100
    assert context_of("mel_cnn", {}, 0.64) == (2.56 + 0.025, 0.025)
    assert context_of("mel_cnn", {"context_s": 0.1}, 0.64)[0] == 0.64
    assert context_of("precomputed", {}, 0.64) is None
    assert context_of("precomputed", {"context_s": 1.5}, 0.64) == (1.5, 1.5)
    assert context_of("ir50_tcn", {}, 0.64) is None
    assert context_of("not_there", {}, 0.64) is None


def test_only_encoders_of_more_than_their_clip_encode_again():
    pairs = [
        (name, modality)
        for name in encoders.names()
        for modality in encoders.constant(name, "modalities")
        or [encoders.constant(name, "modality")]
    ]
    again = {pair for pair in pairs if pair[1] != "text" and encoded_again(*pair, {}, 0.64)}
    heard = {"mel_cnn", "opensmile", "vggish", "cnn2d_spectrogram", "resnet18_two_stream"}
    heard.add("ecapa_tdnn")
    seen = {"face_cnn", "ir50_tcn", "onnx", "transformers"}
    assert again == {(name, "audio") for name in heard | {"onnx", "transformers"}} | {
        (name, "video") for name in seen
    }
