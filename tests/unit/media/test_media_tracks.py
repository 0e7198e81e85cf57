"""Test which sound track is read, how its channels become one, and what is said about it."""

from pathlib import Path

import av
import numpy as np
import pytest

from avfusion.config.sections import SignalSettings
from avfusion.errors import MediaError
from avfusion.media import levels
from avfusion.media.audio import Sound
from avfusion.media.channels import weights
from avfusion.media.lag import lag_s, lags
from avfusion.media.person import Person
from avfusion.media.probe import probe
from avfusion.media.read import read_video
from avfusion.media.sound_track import choose
from avfusion.media.store import MediaRecord
from avfusion.media.timing import read_timing
from support import odd_sounds, odd_videos

SECONDS, HZ = 1.5, 48_000


def tone(hz: float = 523.0, level: float = 0.2, seconds: float = SECONDS) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * HZ)) / HZ)).astype("f4")


def silence(seconds: float = SECONDS) -> np.ndarray:
    return np.zeros(round(seconds * HZ), "f4")


def db(samples: np.ndarray) -> float:
    """Level of the middle of a sound in dB of full scale."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4].astype(float)
    return float(10 * np.log10(np.mean(middle**2) + 1e-12))


def heard(path: Path) -> np.ndarray:
    """The mono sound as it is read, at 16 kHz."""
    pieces = [samples for _, samples in Sound(probe(path), 16_000)]
    return np.concatenate(pieces) if pieces else np.zeros(0, "f4")


def film(path: Path, *tracks: np.ndarray, **options) -> Path:
    return odd_sounds.write(path, [*tracks], HZ, **options)


@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_a_silent_default_track_is_passed_over_and_said(tmp_path, codec):
    path = film(tmp_path / "a.mkv", silence(), tone(), codec=codec)
    meta = read_video(path, tmp_path / "r", SignalSettings())
    assert meta["audio"]
    assert (meta["sound"]["track"], meta["sound"]["tracks"]) == (1, 2)
    assert "track 2 of 2 is read: track 1 is digital silence" in "; ".join(meta["warnings"])
    assert db(heard(path)) == pytest.approx(db(tone()), abs=0.2)


def test_a_default_track_with_sound_is_read_without_a_word(tmp_path):
    path = film(tmp_path / "a.mkv", tone(), tone(hz=300))
    track = choose(path)
    assert (track.index, track.why, track.warnings) == (0, "the container's default", ())


def test_a_commentary_is_read_only_where_there_is_nothing_else(tmp_path):
    comment = av.stream.Disposition.comment
    path = film(tmp_path / "a.mkv", tone(hz=300), tone(), flags={0: comment})
    assert choose(path).index == 1
    assert "track 1 is a commentary" in choose(path).why
    path = film(tmp_path / "b.mkv", tone(hz=300), silence(), flags={0: comment})
    assert choose(path).index == 0


def test_all_tracks_silent_is_no_sound(tmp_path):
    path = film(tmp_path / "a.mkv", silence(), silence(), codec="aac")
    meta = read_video(path, tmp_path / "r", SignalSettings())
    assert not meta["audio"]
    assert meta["audio_offset_s"] is None
    assert "the sound is digital silence" in meta["warnings"]
    _, recorded = MediaRecord.open(tmp_path / "r").waveform(0, 1)
    assert not recorded.any()


def test_a_track_that_speaks_after_minutes_of_silence_is_not_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(levels, "PIECE_S", 0.1)
    late = np.concatenate([silence(1.2), tone(seconds=0.05), silence(0.25)])
    path = film(tmp_path / "a.mkv", late, tone(hz=300))
    assert choose(path).index == 0


@pytest.mark.parametrize("unknown", [(0,), (1,), (0, 1)])
def test_a_codec_that_cannot_be_decoded_leaves_the_other_track(tmp_path, unknown):
    path = film(tmp_path / "a.mov", tone(), tone(), codec="aac")
    odd_sounds.foreign_codec(path, unknown)
    meta = read_video(path, tmp_path / "r", SignalSettings())
    text = "; ".join(meta["warnings"])
    if len(unknown) == 2:
        assert not meta["audio"]
        assert "no sound track that can be decoded (tracks: 2)" in text
        return
    assert meta["sound"]["track"] == 1 - unknown[0]
    assert ("track 1 cannot be decoded" in text) == (unknown == (0,))
    assert db(heard(path)) == pytest.approx(db(tone()), abs=0.2)


def stereo(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.stack([left, right])


CHANNELS = {
    "mean": (stereo(tone(), tone()), 0.0, ""),
    "one channel, phases inverted": (stereo(tone(), -0.9 * tone()), 0.0, "phases of the stereo"),
    "left only": (stereo(tone(), silence()), 0.0, "only in the left channel"),
    "right only": (stereo(0.005 * tone(hz=99), tone()), 0.0, "only in the right channel"),
}


@pytest.mark.parametrize("mixed", CHANNELS)
def test_two_channels_become_one_at_the_level_of_a_channel(tmp_path, mixed):
    sound, against_db, text = CHANNELS[mixed]
    path = film(tmp_path / "a.mkv", sound)
    track = choose(path)
    assert track.mixed == mixed
    assert track.channels == "stereo"
    assert text in " ".join(track.warnings)
    assert bool(track.warnings) == bool(text)
    assert db(heard(path)) - db(tone()) == pytest.approx(against_db, abs=0.2)


def test_a_channel_that_joins_late_is_not_left_out(tmp_path, monkeypatch):
    """The pieces hear one channel only, but the complete track has two."""
    monkeypatch.setattr(levels, "PIECES", 2)
    monkeypatch.setattr(levels, "PIECE_S", 0.1)
    right = np.concatenate([silence(0.4), tone(seconds=0.2), silence(0.9)])
    path = film(tmp_path / "a.mkv", stereo(tone(), right))
    assert (choose(path).mixed, choose(path).warnings) == ("mean", ())


@pytest.mark.parametrize(
    ("channel", "gain_db"),
    [(0, -10.66), (1, -10.66), (2, -7.66), (3, None), (4, -13.67), (5, -13.67)],
)
def test_surround_is_mixed_as_by_bs_775(tmp_path, channel, gain_db):
    sound = np.zeros((6, len(tone())), "f4")
    sound[channel] = tone()
    path = film(tmp_path / "a.mkv", sound, layout="5.1", codec="flac")
    assert choose(path).mixed == "BS.775"
    if gain_db is None:
        assert db(heard(path)) < -100
    else:
        assert db(heard(path)) - db(tone()) == pytest.approx(gain_db, abs=0.1)


LAYOUTS = ("quad", "3.0", "3.0(back)", "4.0", "5.0", "5.1(side)", "6.0", "6.1", "7.0", "7.1")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_channel_has_the_share_of_ffmpeg_s_two_channel_mix(layout):
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    shares = []
    for number in range(len(names)):
        samples = np.zeros((2048, len(names)), np.int16)
        samples[:, number] = 16_384
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", layout)
        frame.sample_rate = HZ
        mixed = av.AudioResampler("s16", "stereo", HZ).resample(frame)[0].to_ndarray()
        shares.append(mixed.reshape(-1, 2).mean(axis=1)[1000] / 16_384)
    gain = 2**0.5 if "FC" in names else 1.0  # see `channels`
    np.testing.assert_allclose(weights(names), gain * np.array(shares), atol=2e-4)


def test_sound_before_the_gain_of_full_scale_is_kept_and_said(tmp_path):
    path = film(tmp_path / "a.mkv", tone(level=3.0), codec="pcm_f32le")
    meta = read_video(path, tmp_path / "r", SignalSettings())
    assert "exceeds full scale" in "; ".join(meta["warnings"])
    assert meta["sound"]["clipped_share"] == 0
    samples, _ = MediaRecord.open(tmp_path / "r").waveform(0.2, 1.2)
    assert np.abs(samples).max() == pytest.approx(3.0, rel=0.01)


def test_clipped_sound_is_said_with_its_share(tmp_path):
    path = film(tmp_path / "a.mkv", tone(level=1.5).clip(-1, 1))
    meta = read_video(path, tmp_path / "r", SignalSettings(sample_rate_hz=HZ))
    share = np.mean(np.abs(tone(level=1.5)) >= 1)
    assert meta["sound"]["clipped_share"] == pytest.approx(share, abs=0.02)
    assert "the sound is clipped: 5" in "; ".join(meta["warnings"])


def test_channels_without_names_are_read_in_their_usual_order_and_said(tmp_path):
    path = film(tmp_path / "a.mkv", np.tile(tone(), (6, 1)), layout="5.1")  # PCM names none there
    choice = choose(path)
    assert choice.mixed == "BS.775"
    assert "the 6 channels have no names" in choice.warnings[0]


@pytest.mark.parametrize("rates", [(48_000, 16_000), (16_000, 48_000)])
def test_a_rate_that_changes_inside_the_track_keeps_every_sound_in_its_place(tmp_path, rates):
    path = odd_sounds.rate_change(tmp_path / "a.ts", rates)
    samples = heard(path)
    assert len(samples) / 16_000 == pytest.approx(2.0, abs=0.1)
    parts = samples[8000:12000], samples[-12000:-8000]
    pitch = [4 * np.abs(np.fft.rfft(part)).argmax() for part in parts]
    assert pitch == pytest.approx([440, 880], abs=8)


@pytest.mark.parametrize("layouts", [("mono", "stereo"), ("stereo", "mono")])
def test_channels_that_change_inside_the_track_keep_their_level(tmp_path, layouts):
    content = b""
    for number, layout in enumerate(layouts):
        part = tmp_path / f"{number}.part"
        sound = tone(seconds=1.0)
        sound = sound if layout == "mono" else np.stack([sound, np.roll(sound, 7)])
        odd_sounds.write(part.with_suffix(".ts"), [sound], HZ, "mp2", start_s=number, frames=25)
        content += part.with_suffix(".ts").read_bytes()
    path = tmp_path / "both.ts"
    path.write_bytes(content)
    samples = heard(path)
    levels_db = db(samples[:16_000]), db(samples[-16_000:])
    assert levels_db == pytest.approx((-17.0, -17.0), abs=0.6)
    (warning,) = [text for text in choose(path).warnings if "changes inside" in text]
    assert warning.endswith(f"changes inside the track: {', '.join(layouts)}")
    assert choose(path).only is None


def test_the_lag_of_two_files_is_that_of_the_tracks_that_are_read(tmp_path):
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.1, 2 * HZ).astype("f4")
    one = film(tmp_path / "a.mkv", silence(), noise[HZ // 4 :])
    two = film(tmp_path / "b.mkv", noise)
    assert lag_s(one, two) == pytest.approx(0.25, abs=0.01)
    assert np.isnan(lag_s(one, film(tmp_path / "c.mkv", silence())))


def test_the_lag_is_kept_for_the_same_two_contents(tmp_path):
    noise = np.random.default_rng(3).normal(0, 0.1, HZ).astype("f4")
    late, early = film(tmp_path / "a.mkv", noise[HZ // 10 :]), film(tmp_path / "b.mkv", noise)
    cache = tmp_path / "cache"
    first = lags([("x", (late, "1"), (early, "2"))], cache)
    assert first["x"] == pytest.approx(0.1, abs=0.01)
    early.unlink()
    assert lags([("y", (late, "1"), (early, "2"))], cache) == {"y": first["x"]}
    film(early, silence())
    assert np.isnan(lags([("x", (late, "1"), (early, "3"))], cache)["x"])


def test_what_is_odd_about_the_sound_is_also_known_before_the_media_stage(tmp_path):
    path = film(tmp_path / "a.mov", tone(), codec="aac")
    odd_sounds.foreign_codec(path, (0,))
    timing = read_timing(path)
    assert not timing.has_sound
    assert timing.warnings == ("no sound track that can be decoded (tracks: 1)",)
    timing = read_timing(film(tmp_path / "b.mkv", silence(), tone(seconds=0.5)))
    assert timing.sound_s == pytest.approx((0.0, 0.5), abs=0.05), "of the track that is read"
    timing = read_timing(film(tmp_path / "c.mkv", silence()))
    assert not timing.has_sound
    assert timing.warnings == ("the sound is digital silence",)


def recording(path: Path, codec: str, start_s: float = 0.0) -> Path:
    """A sound file, whose codec may begin with samples that are thrown away."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=HZ, layout="mono")
        odd_sounds.mux(file, stream, tone()[None], HZ, start_s)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "start_s"),
    [
        *(("a.mp3", "libmp3lame", 0.0), ("a.m4a", "aac", 0.0), ("a.ogg", "libopus", 0.0)),
        *(("a.wav", "pcm_s16le", 0.0), ("a.ts", "mp2", 3.0)),
    ],
)
def test_a_recording_begins_with_its_first_sample(tmp_path, name, codec, start_s):
    path = recording(tmp_path / name, codec, start_s)
    meta = read_video(path, tmp_path / "r", SignalSettings(), person=Person(sound=path))
    assert meta["audio_offset_s"] == 0.0
    assert meta["duration_s"] == pytest.approx(SECONDS, abs=0.06)
    assert read_timing(path).sound_s == (0.0, meta["duration_s"])
    pictures = odd_videos.write(tmp_path / "v.mp4", odd_videos.pictures(25))
    meta = read_video(pictures, tmp_path / "v", SignalSettings(), person=Person(sound=path))
    assert meta["audio_offset_s"] == 0.0


def test_a_recording_that_cannot_be_heard_is_refused_with_the_reason(tmp_path):
    path = recording(tmp_path / "a.mov", "aac")
    odd_sounds.foreign_codec(path, (0,))
    with pytest.raises(MediaError, match=r"no sound track that can be decoded .* another file"):
        read_video(path, tmp_path / "r", SignalSettings(), person=Person(sound=path))


def test_sound_after_the_pictures_is_no_sound_of_them(tmp_path):
    path = tmp_path / "a.mkv"
    odd_videos.write(
        path, odd_videos.pictures(25), audio=[(5.0, odd_videos.tone(1))], form="matroska"
    )
    meta = read_video(path, tmp_path / "r", SignalSettings())
    assert not meta["audio"]
    assert meta["audio_offset_s"] is None
    assert "no sound during the pictures" in meta["warnings"]


def test_sound_that_starts_long_after_the_pictures_is_said(tmp_path):
    path = tmp_path / "a.mkv"
    odd_videos.write(
        path, odd_videos.pictures(), audio=[(1.2, odd_videos.tone(0.8))], form="matroska"
    )
    meta = read_video(path, tmp_path / "r", SignalSettings())
    assert "the sound starts 1.20 s after the pictures" in meta["warnings"]


@pytest.mark.parametrize("right", [0.0, -1.0])
def test_a_loud_part_that_no_piece_hears_is_kept(tmp_path, monkeypatch, right):
    """Floating-point sound; with inverted phases only one channel is read."""
    monkeypatch.setattr(levels, "PIECES", 2)
    monkeypatch.setattr(levels, "PIECE_S", 0.1)
    left = np.concatenate([tone(seconds=0.4), tone(level=3.0, seconds=0.2), tone(seconds=0.9)])
    sound = stereo(left, right * left) if right else left
    path = film(tmp_path / "a.mkv", sound, codec="pcm_f32le")
    meta = read_video(path, tmp_path / "r", SignalSettings())
    assert "the sound exceeds full scale: its peak is 3" in meta["warnings"]
    samples, _ = MediaRecord.open(tmp_path / "r").waveform(0.4, 0.6)
    assert np.abs(samples).max() == pytest.approx(3.0, rel=0.02)
