"""Test the log-mel: streamed equals complete, silence is not absence, gaps keep their place."""

import numpy as np
import pytest
import torch

from avfusion.errors import ConfigError
from avfusion.media.audio import Sound
from avfusion.media.mel import FLOOR, MelShape, log_mel
from avfusion.media.probe import probe
from support import odd_videos

SHAPE = MelShape.of(16_000)


def whole(signal):
    """The log-mel of a signal that starts at time 0, in one piece, (rows, bands)."""
    power = SHAPE.transform(center=True)(torch.from_numpy(signal)).T.numpy()
    return np.log(power + FLOOR)


def streamed(pieces, rows):
    return np.concatenate(list(log_mel(iter(pieces), rows, SHAPE)))


@pytest.mark.parametrize("seed", range(5))
def test_streamed_blocks_equal_the_whole_signal(seed):
    """However the sound is cut into pieces, and across block borders."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 0.1, 35 * SHAPE.rate_hz).astype(np.float32)
    cuts = np.sort(rng.integers(0, len(signal), 40))
    pieces = list(zip([0, *cuts], np.split(signal, cuts), strict=True))
    rows = len(signal) // SHAPE.hop
    np.testing.assert_allclose(streamed(pieces, rows), whole(signal)[:rows], atol=1e-4)


def test_rows_are_nan_exactly_where_nothing_was_recorded():
    second = np.full(SHAPE.rate_hz, 0.1, np.float32)
    pieces = [(SHAPE.rate_hz // 2, second), (3 * SHAPE.rate_hz, second)]
    mel = streamed(pieces, 500)
    seconds = np.arange(500) * SHAPE.hop / SHAPE.rate_hz
    recorded = ((seconds >= 0.5) & (seconds < 1.5)) | ((seconds >= 3) & (seconds < 4))
    np.testing.assert_array_equal(~np.isnan(mel).any(axis=1), recorded)


def test_recorded_silence_is_the_floor_not_absence():
    mel = streamed([(0, np.zeros(SHAPE.rate_hz, np.float32))], 100)
    np.testing.assert_allclose(mel, np.log(FLOOR), rtol=1e-5)


def test_sound_before_the_first_picture_is_left_out_but_heard_by_its_window():
    signal = np.random.default_rng(0).normal(0, 0.1, 2 * SHAPE.rate_hz).astype(np.float32)
    shifted = streamed([(-SHAPE.rate_hz, signal)], 100)
    np.testing.assert_allclose(shifted, whole(signal)[100:200], atol=1e-4)


def test_a_tone_is_loudest_in_the_band_of_its_pitch():
    """Band centres are evenly spaced in mel (O'Shaughnessy 1987: 2595 log10(1 + f / 700))."""
    mel = streamed([(0, odd_videos.tone(1.0))], 100)
    top_mel = 2595 * np.log10(1 + SHAPE.rate_hz / 2 / 700)
    centres = top_mel * np.arange(1, SHAPE.bands + 1) / (SHAPE.bands + 1)
    tone_mel = 2595 * np.log10(1 + 440 / 700)
    assert abs(int(mel[50].argmax()) - int(np.abs(centres - tone_mel).argmin())) <= 1


@pytest.mark.parametrize(("form", "codec"), [("matroska", "pcm_f32le"), ("mp4", "aac")])
def test_a_gap_in_a_file_keeps_later_sound_in_its_place(tmp_path, form, codec):
    sound = [(0.0, odd_videos.tone(0.5)), (1.0, odd_videos.tone(1.0))]
    path = tmp_path / "gap"
    odd_videos.write(path, odd_videos.pictures(), audio=sound, form=form, audio_codec=codec)
    source = Sound(probe(path), SHAPE.rate_hz)
    mel = streamed(source, 200)
    loud = np.nan_to_num(mel, nan=-99).max(axis=1) > -5
    assert loud[5:43].all()
    assert not loud[53:93].any()
    assert loud[103:190].all()
    assert source.warnings == ["gaps in the sound: 1"]


@pytest.mark.parametrize(
    ("layout", "rate_hz"), [("mono", 16000), ("stereo", 44100), ("5.1", 48000)]
)
def test_loudness_does_not_depend_on_channels_or_rate(tmp_path, layout, rate_hz):
    """The same sound in both channels, at any rate, is the same sound."""
    import av

    path = tmp_path / "sound.mkv"
    odd_videos.write(path, odd_videos.pictures(), form="matroska")
    seconds = np.arange(2 * rate_hz) / rate_hz
    wave = (0.1 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    with av.open(str(path)) as old, av.open(str(tmp_path / "with.mkv"), "w") as new:
        picture = new.add_stream_from_template(old.streams.video[0])
        sound = new.add_stream("pcm_f32le", rate=rate_hz, layout=layout)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = picture
                new.mux(packet)
        channels = len(sound.layout.channels)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, channels)[None], "flt", layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        new.mux(sound.encode(frame))
        new.mux(sound.encode())
    source = Sound(probe(tmp_path / "with.mkv"), SHAPE.rate_hz)
    signal = np.concatenate([samples for _, samples in source])
    middle = signal[len(signal) // 4 : 3 * len(signal) // 4]
    assert len(signal) == pytest.approx(2 * SHAPE.rate_hz, abs=32)
    louder = 2**0.5 if layout == "5.1" else 1  # equal in all channels, as no recording is
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(louder * 0.1 / np.sqrt(2), rel=0.01)


def test_a_hop_between_samples_is_refused_with_one_that_fits():
    with pytest.raises(ConfigError, match=r"hop_s.*160\.8 samples.*0\.0100625"):
        MelShape.of(16_000, hop_s=0.01005)
