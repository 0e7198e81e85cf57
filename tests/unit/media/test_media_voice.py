"""Test voice activity: made speech is found at its time, other sound is not, absence is absence."""

import numpy as np
import pytest
from scipy.signal import lfilter

from avfusion.config.sections import SignalSettings
from avfusion.errors import MediaError
from avfusion.media import voice as module
from avfusion.media.read import read_video
from avfusion.media.speaking import heard_in
from avfusion.media.store import MediaRecord
from avfusion.media.voice import STEP, STEP_S, voice
from support import odd_sounds

HZ = 16_000
VOWELS = ((700, 1220, 2600), (300, 2300, 3000), (500, 900, 2400), (400, 2000, 2600))


def speech(seconds: float, pitch_hz: float = 120.0) -> np.ndarray:
    """Vowels of a fifth of a second: pulses of a moving pitch through three formants."""
    at = np.arange(round(seconds * HZ)) / HZ
    pitch = pitch_hz * (1 + 0.15 * np.sin(19 * at) + 0.05 * np.sin(4 * at))
    pulses = np.diff(np.floor(np.cumsum(pitch) / HZ), prepend=0)
    pulses += 0.005 * np.random.default_rng(0).normal(size=len(at))
    out = np.zeros(len(at))
    for number, begin in enumerate(range(0, len(at), HZ // 5)):
        part = pulses[begin : begin + HZ // 5]
        part = part * np.sqrt(np.hanning(len(part)))
        for formant, hz in enumerate(VOWELS[number % len(VOWELS)]):
            decay = np.exp(-np.pi * (80 + 40 * formant) / HZ)
            turn = -2 * decay * np.cos(2 * np.pi * hz / HZ)
            part = lfilter([1 - decay], [1, turn, decay**2], part)
        out[begin : begin + HZ // 5] = part
    return (0.4 * out / np.abs(out).max()).astype("f4")


def probabilities(pieces, seconds: float) -> np.ndarray:
    return np.concatenate([np.zeros(0, "f4"), *voice(pieces, int(seconds / STEP_S))])


def test_speech_is_found_where_it_is():
    sound = np.concatenate([np.zeros(HZ, "f4"), speech(3), np.zeros(HZ, "f4")])
    found = probabilities([(0, sound)], 5)
    times_s = (np.arange(len(found)) + 0.5) * STEP_S
    assert (found[times_s < 0.95] < 0.5).all()
    assert (found[(times_s > 1.2) & (times_s < 3.9)] > 0.5).mean() > 0.95
    assert (found[times_s > 4.2] < 0.5).all()


def test_noise_and_tones_are_no_speech():
    noise = np.random.default_rng(1).normal(0, 0.05, 2 * HZ).astype("f4")
    tone = (0.2 * np.sin(np.arange(2 * HZ) * 2 * np.pi * 440 / HZ)).astype("f4")
    for sound in (noise, tone):
        assert probabilities([(0, sound)], 2).max() < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_do_not_depend_on_how_the_sound_is_cut(seed):
    sound = speech(6)
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(sound), 30))
    pieces = list(zip([0, *cuts.tolist()], np.split(sound, cuts), strict=True))
    np.testing.assert_array_equal(probabilities(pieces, 6), probabilities([(0, sound)], 6))


def test_steps_without_sound_are_nan_and_a_gap_starts_anew():
    sound = speech(1)
    gap = probabilities([(-700, sound[:700]), (0, sound), (3 * HZ, sound)], 5)
    known = np.flatnonzero(~np.isnan(gap))
    middle = (known + 0.5) * STEP
    assert (((middle >= 0) & (middle < HZ)) | ((middle >= 3 * HZ) & (middle < 4 * HZ))).all()
    assert len(known) == pytest.approx(2 * HZ / STEP, abs=2)
    assert len(gap) == int(5 / STEP_S)


def test_the_record_says_how_much_is_voiced(tmp_path):
    sound = np.concatenate([np.zeros(HZ // 2, "f4"), speech(1.0)])
    film = odd_sounds.write(tmp_path / "a.mkv", [sound], HZ)
    meta = read_video(film, tmp_path / "r", SignalSettings())
    assert 0.4 < meta["voiced_share"] < 0.75
    assert not [text for text in meta["warnings"] if "speech" in text]
    record = MediaRecord.open(tmp_path / "r")
    found = record.voiced(np.array([-0.1, 0.2, 1.0, 1.2, 9.0]))
    np.testing.assert_array_equal(np.isnan(found), [True, False, False, False, True])
    assert found[1] < 0.5 < found[2]


def test_a_loud_tone_is_no_voice_in_a_record_with_speech(tmp_path):
    """Also if faces are seen only during the tone."""
    tone = (0.2 * np.sin(np.arange(HZ) * 2 * np.pi * 440 / HZ)).astype("f4")
    times_s = np.arange(0.1, 0.9, 0.04)
    for name, second, voiced in (("speech", speech(1.0), False), ("tone", tone, True)):
        film = odd_sounds.write(tmp_path / f"{name}.mkv", [np.concatenate([tone, second])], HZ)
        read_video(film, tmp_path / name, SignalSettings())
        heard, _ = heard_in(MediaRecord.open(tmp_path / name))(times_s)
        np.testing.assert_array_equal(heard >= 0.5, voiced)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050])
def test_voice_activity_does_not_need_sound_stored_at_its_rate(tmp_path, rate_hz):
    film = odd_sounds.write(tmp_path / "a.mkv", [speech(1.5)], HZ)
    meta = read_video(film, tmp_path / "r", SignalSettings(sample_rate_hz=rate_hz))
    assert meta["voiced_share"] > 0.6


def test_sound_without_speech_is_said(tmp_path):
    tone = (0.2 * np.sin(np.arange(HZ) * 2 * np.pi * 440 / HZ)).astype("f4")
    for name, sound in (("tone", tone), ("silent", 0 * tone)):
        film = odd_sounds.write(tmp_path / f"{name}.mkv", [sound], HZ)
        meta = read_video(film, tmp_path / name, SignalSettings())
        assert ("no speech in the sound" in meta["warnings"]) == (name == "tone")


def test_changed_weights_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "weights.onnx"
    other.write_bytes(module.WEIGHTS.read_bytes() + b"x")
    monkeypatch.setattr(module, "WEIGHTS", other)
    monkeypatch.setattr(module, "_sessions", [])
    with pytest.raises(MediaError, match="not the file that was shipped"):
        probabilities([(0, speech(0.2))], 1)
