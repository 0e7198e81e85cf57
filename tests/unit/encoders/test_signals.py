"""Test that sound and pictures are corrupted to the requested level, equally in each run."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.encoders.base import build
from avfusion.encoders.corrupt import _CorruptJob, blur, corrupt_features, hide, open_store
from avfusion.encoders.sound_chunks import low_rate
from avfusion.encoders.stage import encode_shard
from avfusion.errors import AvfError, ConfigError
from avfusion.features.store import FeatureStore
from avfusion.io.shards import join, write_table
from avfusion.layout import Layout
from avfusion.media import noise as spoil
from avfusion.media.mel import MelShape, log_mel, log_mel_of
from avfusion.media.read import read_video
from avfusion.media.store import MediaRecord
from avfusion.training.checkpoint import save_weights
from support import odd_videos

STUDY = Study(corpora={"odd": {"root": "."}}, fusions={"ca": {}})
MEDIA = STUDY.media
RATE_HZ, SECONDS = MEDIA.sample_rate_hz, 2.0
VIDEOS = {"v0": "ann", "v1": "ann", "v2": "bo", "v3": "cy"}
LEVELS = {"audio_noise_db": math.inf, "audio_babble_db": math.inf, "audio_shift_s": 0.0,
          "video_blur_px": 0.0, "video_occlusion": 0.0}  # fmt: skip
STRONG = {"audio_noise_db": 0.0, "audio_babble_db": -5.0, "audio_shift_s": 0.5,
          "video_blur_px": 4.0, "video_occlusion": 0.5}  # fmt: skip


def pieces(seed: int, seconds: float = 3.0) -> list[spoil.Piece]:
    """Sound that swells, in uneven pieces, with a gap."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * RATE_HZ))
    sound = (0.1 * rng.normal(size=len(at)) * (1.1 + np.sin(at / 4000))).astype(np.float32)
    cuts = np.sort(rng.integers(1, len(at), 7))
    starts = [0, *cuts]
    return [(int(s) + 800 * (i > 3), x) for i, (s, x) in
            enumerate(zip(starts, np.split(sound, cuts), strict=True))]  # fmt: skip


def draws(seed: int = 5):
    return lambda: np.random.default_rng(seed)


def noises() -> dict[str, spoil.Noise]:
    voices = [np.concatenate([x for _, x in pieces(s, 1.0 + 0.1 * s)]) for s in range(3)]
    return {"white": spoil.white(draws()), "babble": spoil.babble(voices, draws())}


@pytest.mark.parametrize("kind", ["white", "babble"])
@pytest.mark.parametrize("snr_db", [20.0, 10.0, 0.0, -5.0])
def test_the_waveform_has_the_asked_signal_to_noise_ratio(kind, snr_db):
    clean = pieces(1)
    spoilt = list(spoil.noisy(lambda: clean, noises()[kind], snr_db))
    assert [s for s, _ in spoilt] == [s for s, _ in clean]
    signal = np.concatenate([x for _, x in clean]).astype(float)
    noise = np.concatenate([x for _, x in spoilt]).astype(float) - signal
    found = 10 * math.log10(np.square(signal).sum() / np.square(noise).sum())
    assert found == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("kind", ["white", "babble"])
def test_noise_is_the_same_however_the_sound_is_cut_and_louder_at_a_lower_ratio(kind):
    whole = [(0, np.concatenate([x for _, x in pieces(1)]))]
    halves = [(0, whole[0][1][:9000]), (9000, whole[0][1][9000:])]
    one, two = (np.concatenate([x for _, x in spoil.noisy(lambda p=p: p, noises()[kind], 10.0)])
                for p in (whole, halves))  # fmt: skip
    np.testing.assert_allclose(one, two, atol=1e-6)
    ((_, more),) = spoil.noisy(lambda: whole, noises()[kind], 0.0)
    np.testing.assert_allclose(more - whole[0][1], math.sqrt(10) * (one - whole[0][1]), atol=1e-5)


def test_silence_stays_silent_and_no_noise_is_no_change():
    silent = [(0, np.zeros(RATE_HZ, np.float32))]
    ((_, found),) = spoil.noisy(lambda: silent, noises()["white"], 0.0)
    assert not found.any()
    clean = pieces(2)
    same = list(spoil.noisy(lambda: clean, noises()["white"], math.inf))
    assert all(a is b for (_, a), (_, b) in zip(clean, same, strict=True))


def test_blur_takes_energy_at_high_frequencies_the_more_the_wider_it_is():
    faces = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3)).astype(np.uint8)
    faces[0] = odd_videos.face()[60:172, 60:172]
    spectra = [np.abs(np.fft.fft2(blur(faces, s).astype(float), axes=(1, 2))) ** 2
               for s in (0.0, 0.5, 1.0, 2.0, 4.0)]  # fmt: skip
    high = [spectrum[:, 20:92, 20:92].sum(axis=(1, 2, 3)) for spectrum in spectra]
    for sharp, soft in itertools.pairwise(high):
        assert (soft < sharp).all()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.4, 0.7), (0.999, 0.999)])
def test_occlusion_hides_its_share_and_nothing_else(share, place):
    faces = np.random.default_rng(0).integers(0, 100, (3, 112, 112, 3)).astype(np.uint8)
    found = hide(faces, share, place)
    hidden = (found == 128).all(-1)
    assert hidden.mean() == pytest.approx(share, abs=1 / 112)
    assert (found[~hidden] == faces[~hidden]).all()
    assert (hidden == hidden[0]).all()
    less = (hide(faces, share / 2, place) == 128).all(-1)
    assert hidden[less].all()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """(layout, folder of the videos): four read and encoded videos, one of them to learn from."""
    folder = tmp_path_factory.mktemp("signals")
    layout, root = Layout(folder / "results"), folder / "videos"
    root.mkdir()
    rows = []
    for number, (video, who) in enumerate(VIDEOS.items()):
        sound = np.concatenate([x for _, x in pieces(number, SECONDS)])
        images = odd_videos.pictures(20)
        times_ms = [round(1000 * SECONDS * i / len(images)) for i in range(len(images))]
        path = root / f"{video}.mkv"
        odd_videos.write(path, images, times_ms, audio=[(0.0, sound)], form="matroska")
        read_video(path, layout.media("odd") / video, MEDIA, key=video)
        rows.append({"video": video, "path": path.name, "subject": who, "voice": who,
                     "partition": "train" if video == "v3" else "test"})  # fmt: skip
    table = pd.DataFrame(rows)
    write_table(table, layout.manifest("odd"))
    media = table[["video"]].assign(status="ok", reason=None)
    write_table(media, layout.media("odd") / "index.parquet")
    for encoder in ("mel_cnn", "face_expression"):
        settings = STUDY.encoder_settings(encoder)
        if encoder == "mel_cnn":
            net = build(settings).new_net(settings)
            path = layout.encoder("odd", encoder) / "best.safetensors"
            save_weights(path, net.state_dict(), {"settings": settings.lasting})
        encode_shard("odd", (0, 1), settings, layout)
        join(layout.features("odd", encoder))
    return layout, root


def encoder_of(name: str) -> str:
    return "mel_cnn" if name.startswith("audio") else "face_expression"


def made(corpus, name: str, level: float, **changed) -> FeatureStore:
    """Run the corruption; the features that it left."""
    layout, _ = corpus
    encoder = encoder_of(name)
    settings = STUDY.signal_settings(encoder).updated(**changed)
    corrupt_features("odd", (name, level), "test", settings, layout)
    clean = FeatureStore.open(layout.features("odd", encoder) / "index.parquet")
    return open_store("odd", (name, level), encoder, clean, layout)


@pytest.mark.parametrize("name", LEVELS)
def test_at_no_corruption_features_are_those_of_whole_input_bit_for_bit(corpus, name):
    clean = FeatureStore.open(corpus[0].features("odd", encoder_of(name)) / "index.parquet")
    store = made(corpus, name, LEVELS[name])
    assert store.videos == ["v0", "v1", "v2"]
    for video in store.videos:
        assert store.index.loc[video, "sha256"] == clean.index.loc[video, "sha256"]


@pytest.mark.parametrize("name", STRONG)
def test_the_same_seed_corrupts_alike_and_goes_on_from_what_is_there(corpus, name):
    store = made(corpus, name, STRONG[name])
    clean = FeatureStore.open(corpus[0].features("odd", encoder_of(name)) / "index.parquet")
    first = store.index["sha256"].to_dict()
    for video in store.videos:
        gap = np.abs(store.load(video).rows.astype(float) - clean.load(video).rows)
        assert np.nanmax(gap) > 1e-3
    folder = store.path.parent
    kept = (folder / "v0.npy").stat().st_mtime_ns
    (folder / "v1.npy").unlink()
    (folder / "index.parquet").unlink()
    assert made(corpus, name, STRONG[name]).index["sha256"].to_dict() == first
    assert (folder / "v0.npy").stat().st_mtime_ns == kept
    other = made(corpus, name, STRONG[name], draw=1).index["sha256"].to_dict()
    drawn = name in ("audio_noise_db", "audio_babble_db", "video_occlusion")
    assert (other != first) == drawn


def test_late_sound_is_the_same_sound_later(corpus):
    layout, _ = corpus
    clean = MediaRecord.open(layout.media("odd") / "v0")
    shape = MelShape.of(RATE_HZ)
    blocks = log_mel(spoil.late(clean.pieces(), RATE_HZ // 2), shape.rows(SECONDS), shape)
    late = np.concatenate(list(blocks)).astype(np.float16)
    assert np.isnan(late[:50]).all()
    np.testing.assert_array_equal(late[50 + 5 : 195], log_mel_of(clean)[5:145])


def test_babble_is_made_anew_where_another_voice_has_changed(corpus):
    layout, _ = corpus

    def rows():
        return np.array(made(corpus, "audio_babble_db", -5.0).load("v0").rows)

    first = rows()
    meta, other = layout.media("odd") / "v2" / "meta.json", layout.media("odd") / "v3"
    before = meta.read_text(), (meta.parent / "sound.npy").read_bytes()
    (meta.parent / "sound.npy").write_bytes((other / "sound.npy").read_bytes())
    meta.write_text((other / "meta.json").read_text())
    try:
        second = rows()
    finally:
        meta.write_text(before[0])
        (meta.parent / "sound.npy").write_bytes(before[1])
    assert not np.array_equal(first, second, equal_nan=True)
    np.testing.assert_array_equal(first, rows())


def test_babble_is_of_other_people(corpus):
    layout, _ = corpus
    records = {video: MediaRecord.open(layout.media("odd") / video) for video in VIDEOS}
    table = pd.read_parquet(layout.manifest("odd")).set_index("video")
    voices = spoil.Voices(table, records.get).others("v0", np.random.default_rng(0))
    other = [np.concatenate([x for _, x in records[v].pieces()]) for v in ("v2", "v3")]
    assert sorted(len(v) for v in voices) == sorted(len(v) for v in other)
    assert all(any(np.array_equal(v, o) for o in other) for v in voices)


def test_an_encoder_that_reads_the_waveform_hears_the_corruption(corpus):
    layout, _ = corpus
    settings = STUDY.signal_settings("mel_cnn")
    table = pd.read_parquet(layout.manifest("odd"))
    job = _CorruptJob("odd", ("audio_shift_s", 0.25), table, settings, layout)
    late, recorded = job.open("v0").waveform(0.25, 1.0)
    clean, _ = MediaRecord.open(layout.media("odd") / "v0").waveform(0.0, 0.75)
    np.testing.assert_array_equal(late, clean)
    assert recorded.all()


@pytest.mark.parametrize("name", ["audio_noise_db", "audio_babble_db", "audio_shift_s"])
def test_sound_at_its_native_rate_is_corrupted_at_that_rate(name, corpus, tmp_path):
    """Read at 16 kHz and stored at 8 kHz too: nothing is lost but what the corruption hides."""
    layout, media = (
        Layout(tmp_path),
        MEDIA.model_copy(update={"sample_rate_hz": RATE_HZ // 2, "native_sound": True}),
    )
    for video in VIDEOS:
        read_video(corpus[1] / f"{video}.mkv", layout.media("odd") / video, media, key=video)
    table = pd.read_parquet(corpus[0].manifest("odd"))
    settings = STUDY.signal_settings("face_expression")
    clean, _ = MediaRecord.open(layout.media("odd") / "v0").waveform(0.0, SECONDS, RATE_HZ)

    def heard(level: float) -> np.ndarray:
        record = _CorruptJob("odd", (name, level), table, settings, layout).open("v0")
        assert low_rate(record, RATE_HZ) is None
        return record.waveform(0.0, SECONDS, RATE_HZ)[0]

    np.testing.assert_array_equal(heard(LEVELS[name]), clean)
    if name == "audio_shift_s":
        np.testing.assert_array_equal(heard(0.25)[RATE_HZ // 4 :], clean[: -RATE_HZ // 4])
        return
    noise = (heard(0.0) - clean).astype(float)
    assert np.square(noise).sum() == pytest.approx(np.square(clean.astype(float)).sum(), rel=0.02)
    power = np.abs(np.fft.rfft(noise)) ** 2
    high = power[len(power) // 2 :].sum() / power.sum()  # above half of the lower rate
    assert high == pytest.approx(0.5 if name == "audio_noise_db" else 0.0, abs=0.05)


def test_features_that_are_absent_or_of_other_clean_ones_are_refused(corpus):
    layout, name = corpus[0], "face_expression"
    clean = FeatureStore.open(layout.features("odd", name) / "index.parquet")
    with pytest.raises(AvfError, match="avf corrupt odd video_blur_px 9 face_expression"):
        open_store("odd", ("video_blur_px", 9.0), name, clean, layout)
    made(corpus, "video_blur_px", 1.0)
    clean.index["sha256"] = "0" * 64
    with pytest.raises(AvfError, match="clean features have changed"):
        open_store("odd", ("video_blur_px", 1.0), name, clean, layout)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"audio_noise_db": [-5, 10]}, "dB must fall"),
        ({"video_noise_db": [10]}, "No corruption named"),
        ({"video_blur_px": [0, 1]}, "must rise and start above 0"),
        ({"video_occlusion": [0.5, 1.5]}, "shares"),
    ],
)
def test_a_wrong_level_is_refused_with_its_remedy(given, said):
    settings = {"corpora": {"demo": {"root": "."}}, "fusions": {"ca": {}}, "robustness": given}
    with pytest.raises(ConfigError, match=said):
        load(settings)
