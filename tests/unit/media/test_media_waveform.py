"""Test the stored sound: level and place are kept, gaps are known, other rates, constant memory."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from avfusion.config.sections import SignalSettings
from avfusion.errors import MediaError
from avfusion.media import speaking
from avfusion.media.mel import MelShape, Spectra, log_mel, log_mel_of, spectra_of
from avfusion.media.new_record import write_record
from avfusion.media.read import read_video
from avfusion.media.store import MediaRecord
from avfusion.media.waveform import HeldSound, SoundWriter, StoredSound
from support import odd_sounds

HZ, SECONDS = 44_100, 2.0


def wave(seconds: np.ndarray, hz: float = 700.0) -> np.ndarray:
    """A tone that swells, so that a shift shows."""
    return 0.4 * np.sin(2 * np.pi * hz * seconds) * (0.6 + 0.3 * np.sin(5 * seconds))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    folder = tmp_path_factory.mktemp("waveform")
    sound = wave(np.arange(round(SECONDS * HZ)) / HZ).astype("f4")
    return odd_sounds.write(folder / "a.mkv", [sound], HZ, "pcm_f32le", frames=50)


@pytest.fixture(scope="module")
def record(film):
    read_video(film, film.parent / "r", SignalSettings(native_sound=True))
    return MediaRecord.open(film.parent / "r")


@pytest.mark.parametrize("rate_hz", [None, 16_000, 8_000, 22_050, 44_100, 48_000])
def test_a_span_is_the_sound_at_its_time_and_level_at_any_rate(record, rate_hz):
    samples, recorded = record.waveform(0.3, 1.1, rate_hz)
    rate_hz = rate_hz or 16_000
    assert samples.dtype == np.float32
    assert samples.shape == recorded.shape == (round(1.1 * rate_hz) - round(0.3 * rate_hz),)
    assert recorded.all()
    expected = wave((round(0.3 * rate_hz) + np.arange(len(samples))) / rate_hz)
    np.testing.assert_allclose(samples, expected, atol=2e-3)


def test_the_native_rate_is_kept_exactly_if_the_study_asks(record, film):
    assert record.meta["sound"]["rate_hz"] == HZ
    samples, _ = record.waveform(0.0, SECONDS, HZ)
    np.testing.assert_allclose(samples, wave(np.arange(len(samples)) / HZ), atol=1 / 32768)
    meta = read_video(film, film.parent / "plain", SignalSettings())
    assert "native" not in meta["sound"]
    assert not (film.parent / "plain" / "native.npy").exists()


def test_spans_that_meet_are_the_same_however_they_are_cut(record):
    complete, _ = record.waveform(0.5, 1.5, 11_025)
    parts = [record.waveform(at, at + 0.1, 11_025)[0] for at in np.arange(5, 15) / 10]
    np.testing.assert_allclose(np.concatenate(parts), complete, atol=1e-6)


def test_before_after_and_in_a_gap_nothing_is_recorded(tmp_path):
    frames = pd.DataFrame({"time_s": [0.0], "faces": [0], "score": [np.nan]})
    pieces = [(-800, np.full(1600, 0.5, "f4")), (8000, np.full(4000, -0.25, "f4"))]
    made = write_record(tmp_path / "r", frames, {}, pieces, {"face_px": 112, "duration_s": 1.0})
    samples, recorded = made.waveform(-0.1, 1.1)
    at = np.arange(-1600, 17600)
    expected = np.where((at >= -800) & (at < 800), 0.5, 0) - 0.25 * ((at >= 8000) & (at < 12000))
    np.testing.assert_array_equal(samples, expected)
    np.testing.assert_array_equal(recorded, expected != 0)
    faster, known = made.waveform(-0.1, 1.1, 32_000)
    assert known.sum() == 2 * recorded.sum()
    assert (faster[~known] == 0).all()
    assert made.waveform(5.0, 5.5)[1].sum() == 0
    assert len(made.waveform(1.0, 1.0)[0]) == 0
    assert (tmp_path / "r" / "sound.npy").stat().st_size == 128 + 2 * 5600  # gaps take no space


def test_samples_beyond_full_scale_are_limited_and_counted(tmp_path):
    writer = SoundWriter(tmp_path / "s.npy", 16_000)
    writer.add(0, np.array([0.5, 1.5, -2.0, 0.0], "f4"))
    about = writer.close()
    assert about["clipped_share"] == 0.5
    assert about["peak_db"] == pytest.approx(6.02)
    read, _ = StoredSound(tmp_path, about).read(0, 4)
    np.testing.assert_allclose(read, [0.5, 1.0, -1.0, 0.0], atol=1e-4)


def test_the_same_video_gives_the_same_bytes(film):
    for name in ("one", "two"):
        read_video(film, film.parent / name, SignalSettings(native_sound=True))
    for name in ("sound.npy", "native.npy", "voice.npy", "meta.json"):
        one, two = (film.parent / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), name


def test_memory_does_not_grow_with_the_length(tmp_path):
    def peak(minutes: int) -> int:
        noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype("f4")
        tracemalloc.start()
        writer = SoundWriter(tmp_path / f"{minutes}.npy", 16_000)
        for second in range(60 * minutes):
            writer.add(16_000 * second, noise)
        stored = StoredSound(tmp_path, writer.close())
        shape = MelShape.of(16_000)
        for _ in log_mel(stored.pieces(), shape.rows(60 * minutes), shape):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(20) < 1.1 * peak(2)


def test_a_log_mel_has_the_shape_that_is_asked_for(record):
    usual = log_mel_of(record)
    assert usual.shape == (201, 64)
    assert spectra_of(record) is spectra_of(record)
    assert log_mel_of(record, MelShape.of(16_000, 40, 0.05, 0.02)).shape == (101, 40)
    with pytest.raises(ValueError, match="8000 Hz for sound at 16000"):
        log_mel_of(record, MelShape.of(8_000))


@pytest.mark.parametrize("rows", [1, 1000, 2503, 140_000])
def test_spectra_give_back_their_rows_and_mean_also_from_a_file(rows):
    """The longest one is larger than what stays in memory; the mean has the bits of NumPy's."""
    rng = np.random.default_rng(rows)
    table = rng.normal(-5, 3, (rows, 64)).astype(np.float16)
    table[rng.random(rows) < 0.3] = np.nan
    spectra = Spectra((table[i : i + 1000].astype(np.float32) for i in range(0, rows, 1000)), 64)
    assert len(spectra) == rows
    for first, stop in ((0, rows), (rows // 3, rows // 2), (rows, rows)):
        np.testing.assert_array_equal(spectra.rows(first, stop), table[first:stop])
    heard = ~np.isnan(table[:, 0])
    np.testing.assert_array_equal(spectra.heard, heard)
    if heard.any():
        expected = table[heard].mean(axis=0, dtype=np.float32)
        np.testing.assert_array_equal(spectra.mean, expected)


def test_sound_in_memory_reads_like_stored_sound(record):
    held = HeldSound(record.pieces(), record.sound_hz)
    for begin, end in ((-50, 90), (4_000, 9_000)):
        stored = record.waveform(begin / 16_000, end / 16_000)
        np.testing.assert_array_equal(held.read(begin, end), stored)


def test_a_record_without_sound_names_the_file_and_the_next_command(tmp_path):
    record = MediaRecord(tmp_path / "c" / "v", {"reader": "arrays"})
    with pytest.raises(MediaError, match="avf media c"):
        record.waveform(0, 1)


def test_loudness_is_that_of_the_sound_around_each_time_whatever_the_block(record, monkeypatch):
    monkeypatch.setattr(speaking, "_BLOCK_S", 1)
    times_s = np.array([-2.0, 0.0, 0.3, 0.97, 1.0, 1.03, 1.03, 1.9, 2.5])
    _, loud_db = speaking.heard_in(record)(times_s)
    for time_s, level in zip(times_s, loud_db, strict=True):
        samples, recorded = record.waveform(time_s - 0.04, time_s + 0.04)
        if recorded.any():
            expected = 10 * np.log10(np.square(samples[recorded]).mean() + 1e-10)
            assert level == pytest.approx(expected, abs=1e-3)
        else:
            assert np.isnan(level)
