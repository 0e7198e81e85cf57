"""Times of frames and sound: joined recordings, wrapped timestamps, gaps, and where time 0 is."""

from fractions import Fraction

import av
import numpy as np
import pytest

from avfusion.config.sections import MediaSettings
from avfusion.errors import MediaError
from avfusion.media import timing as timing_of
from avfusion.media.person import Person
from avfusion.media.probe import cut, probe
from avfusion.media.read import read_video
from avfusion.media.segments import Clock, Segment
from avfusion.media.store import MediaRecord
from avfusion.media.timing import read_timing, timings
from avfusion.media.video import Frames
from support import odd_pictures as odd
from support import odd_videos
from support.odd_pictures import FLASH, TAKE, WRAP_S
from support.odd_videos import FPS


def read(file):
    return [(odd_videos.number_in(image), time_s) for _, time_s, image in Frames(file)]


def flash_s(file):
    return [time_s for _, time_s, image in Frames(file) if image.mean() > 225]


def click_s(file):
    """Time of the loudest sample by the clock of the sound, without resampling."""
    from avfusion.media.decode import Decoded

    clock, loudest, at_s = file.clock(of_sound=True), 0.0, float("nan")
    for container_s, frame in Decoded(file.path, av.AudioFrame):
        time_s, level = clock(container_s), np.abs(frame.to_ndarray().astype(np.float64))
        level = level.max(0) / (1 if frame.format.name.startswith("flt") else 32768)
        if level.max() > loudest:
            loudest, at_s = level.max(), time_s + level.argmax() / frame.sample_rate
    return at_s


JOINED = {
    "ts": {},
    "h264": {"codec": "libx264"},
    "ps": {"form": "mpeg"},
    "three": {"count": 3},
    "second_mute": {"count": 3, "mute": (1,)},
    "mute": {"silent": True},
    "earlier": {"starts_s": (5000.0, 100.0)},
    "later": {"starts_s": (100.0, 5000.0)},
    "later_mute": {"starts_s": (100.0, 5000.0), "silent": True},
    "wrapped": {"starts_s": (WRAP_S - 1.7, 400.0)},
}


@pytest.mark.parametrize("how", JOINED.values(), ids=JOINED)
def test_joined_recordings_come_one_after_another(tmp_path, how):
    path, count = odd.joined(tmp_path / "v.ts", **how), how.get("count", 2)
    file, last = probe(path), (how.get("count", 2) - 1) * TAKE + FLASH
    numbers = list(range(count * TAKE))
    numbers[last] = 255
    frames = read(file)
    assert [number for number, _ in frames] == numbers
    assert [time_s for _, time_s in frames] == pytest.approx(np.arange(count * TAKE) / FPS)
    assert file.duration_s == pytest.approx(count * TAKE / FPS)
    assert flash_s(file) == [pytest.approx(last / FPS)]
    assert file.described()["joined"] == count - 1
    assert any("timestamps restart" in text for text in file.warnings)
    assert not any("ends at" in text for text in file.warnings)
    if not how.get("silent"):
        assert click_s(file) == pytest.approx(last / FPS, abs=0.05)
        assert read_timing(path).sound_s[1] == pytest.approx(count * TAKE / FPS, abs=0.1)


def test_a_span_may_cross_the_join(tmp_path):
    part = cut(probe(odd.joined(tmp_path / "v.ts")), (1.0, 1.4))
    assert [number for number, _ in read(part)] == list(range(25, 35))


def test_timestamps_that_pass_the_33rd_bit_go_on(tmp_path):
    file = probe(odd.joined(tmp_path / "v.ts", count=1, starts_s=(WRAP_S - 1.7,)))
    assert file.times_s == pytest.approx(np.arange(TAKE) / FPS)
    assert not file.warnings


@pytest.mark.parametrize("sounds", [True, False])
@pytest.mark.parametrize("form", ["mpegts", "matroska", "mp4"])
def test_a_pause_of_a_recording_stays_a_pause(tmp_path, form, sounds):
    file = probe(odd.paused(tmp_path / "v", 21.0, form, sounds))
    assert np.diff(file.times_s).max() == pytest.approx(21.04)
    assert len(file.segments) == 1


def test_a_long_pause_with_sound_in_it_stays_a_pause(tmp_path):
    file = probe(odd.paused(tmp_path / "v.ts", 75.0, "mpegts", sounds=True))
    assert np.diff(file.times_s).max() == pytest.approx(75.04)


def test_sound_of_the_take_before_that_comes_late_stays_with_its_take():
    clock = Clock((Segment(1.4, 3.4, 0.0), Segment(1.4, 3.4, 2.0)))
    assert [clock(at_s) for at_s in (3.3, 3.36, 1.4, 1.46)] == pytest.approx([3.3, 3.36, 3.4, 3.46])


def test_a_jump_that_no_other_segment_explains_is_left(tmp_path):
    clock = Clock((Segment(10, 20, 0.0), Segment(10, 20, 10.0)))
    assert [clock(at_s) for at_s in (15.0, 500.0, 15.5)] == [15.0, 500.0, 25.5]


def test_packed_frames_have_the_times_of_the_frames_that_were_recorded(tmp_path):
    file = probe(odd.packed(tmp_path / "v.avi"))
    frames = read(file)
    assert [n for n, _ in frames] == [255 if n == FLASH else n for n in range(TAKE)]
    assert [time_s for _, time_s in frames] == pytest.approx(np.arange(TAKE) / FPS)
    assert file.starts_s == pytest.approx(1 / FPS), "as ffmpeg shows them: a packet later"


@pytest.mark.parametrize(("form", "codec"), [("h264", "libx264"), ("m4v", "mpeg4")])
def test_a_bare_stream_is_timed_by_its_rate(tmp_path, form, codec):
    file = probe(odd.encode(tmp_path / "v", odd_videos.pictures(20), form, codec))
    assert [n for n, _ in read(file)] == list(range(20))
    assert file.times_s == pytest.approx(np.arange(20) / FPS)


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    path = tmp_path_factory.mktemp("late") / "late.mkv"
    images, sound = odd_videos.flash_and_click(40, 20)
    sound = np.concatenate([np.zeros(round(0.6 * odd_videos.AUDIO_HZ), np.float32), sound])
    shown_ms = [600 + 40 * i for i in range(40)]
    return odd_videos.write(path, images, shown_ms, [(0.0, sound)], form="matroska")


@pytest.mark.parametrize(("zero", "first_s"), [("picture", 0.0), ("container", 0.6)])
def test_time_zero_is_the_first_picture_or_the_container(late, zero, first_s):
    file = probe(late, zero)
    assert file.times_s[0] == pytest.approx(first_s, abs=0.002)
    assert flash_s(file) == [pytest.approx(first_s + 0.8, abs=0.002)]
    assert click_s(file) == pytest.approx(first_s + 0.8, abs=0.07), "sound stays with the pictures"
    assert file.described()["time_zero"] == zero
    assert file.described()["starts_s"] == pytest.approx(0.6, abs=0.002)
    assert any("pictures start 0.60 s after the file" in text for text in file.warnings)


def test_timings_are_kept_apart_by_time_zero_and_keep_their_warnings(late, tmp_path):
    for _ in range(2):
        for zero, first_s in (("picture", 0.0), ("container", 0.6)):
            timing = timings([("late", late, "sha")], tmp_path, zero)["late"]
            assert timing.times_s[0] == pytest.approx(first_s, abs=0.002)
            assert any("pictures start" in text for text in timing.warnings)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("table.mp4", b"time;valence;arousal\n0;0.1;0.2\n1;0.1;0.3\n", "a table with 3 columns"),
        ("note.mp4", b"dear reader, this is a note\n", "a text. Name a video or sound file"),
        ("utf16.mp4", "a,b\n1,2\n3,4\n".encode("utf-16"), "a table with 2 columns"),
        ("array.mp4", b"\x93NUMPY\x01\x00" + bytes(200), "a NumPy array"),
        ("archive.mp4", b"PK\x03\x04" + bytes(200), "a ZIP archive"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:2\nhttp://example.org/a.ts\n", "a list of other files"),
        ("lfs.mp4", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS"),
        ("words.avi", "Grüße an alle\n".encode(), "a text"),
    ],
)
def test_a_file_that_is_no_video_is_called_what_it_is(tmp_path, name, content, kind):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError, match=f"not a media file but {kind}"):
        probe(path)
    assert kind in read_timing(path).reason


def test_a_still_picture_and_a_sound_are_no_video(tmp_path):
    import shutil
    import wave

    still, sound = tmp_path / "v.mp4", tmp_path / "w.mp4"
    shutil.copy(odd_videos.ASSET, still)
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(8000))
    with pytest.raises(MediaError, match="a still picture"):
        probe(still)
    with pytest.raises(MediaError, match="this is a sound file"):
        probe(sound)


def test_frames_that_an_edit_list_cuts_off_are_not_missed(tmp_path):
    path = odd_videos.write(tmp_path / "v.mp4", odd_videos.pictures(40))
    file = probe(odd.trimmed(path, 0.5))
    frames = Frames(file)
    assert [n for n, _ in read(file)] == list(range(20))
    assert [time_s for _, time_s, _ in frames] == file.times_s.tolist()
    assert frames.warnings == []


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_frames_after_damage_in_an_avi_keep_their_times(tmp_path, codec):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = odd.encode(tmp_path / "v.avi", odd_videos.pictures(40), "avi", codec, pixels=pixels)
    file = probe(odd.without_content(path, range(20, 23)))
    after = [(number, time_s) for number, time_s in read(file) if number >= 24]
    assert [number for number, _ in after] == list(range(24, 40))
    assert [time_s for _, time_s in after] == pytest.approx(np.arange(24, 40) / FPS)


def test_a_restart_is_named_at_its_time_after_time_zero(tmp_path):
    path = odd.joined(tmp_path / "v.ts")
    file = probe(path, "container")
    (text,) = (text for text in file.warnings if "restart" in text)
    assert f"restart once (at {TAKE / FPS + file.starts_s:.2f} s)" in text


def test_a_file_that_may_not_be_read_is_named_with_the_next_step(tmp_path, monkeypatch):
    path = odd_videos.write(tmp_path / "v.mp4", odd_videos.pictures(3))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    assert "cannot be read (Permission denied). Make it readable" in read_timing(path).reason


def late_sound(path):
    """Write an FLV whose header and start announce no sound; it begins after much picture."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", format="flv") as file:
        video = file.add_stream("libx264", rate=25, options={"crf": "1", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 640, 480, "yuv420p"
        sound = file.add_stream("aac", rate=44100, layout="mono")
        for number in range(40):
            noise = rng.integers(0, 255, (480, 640, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(video.encode(frame))
            if number >= 25:
                tone = (0.2 * np.sin(np.arange(1764) * 0.06)).astype(np.float32)[None]
                piece = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
                piece.sample_rate, piece.pts = 44100, number * 1764
                piece.time_base = Fraction(1, 44100)
                file.mux(sound.encode(piece))
        file.mux(video.encode())
        file.mux(sound.encode())
    raw = path.read_bytes()
    head, tags, at = bytearray(raw[:13]), [], 13
    head[4] = 1  # pictures only
    while at + 11 <= len(raw):
        end = at + 15 + int.from_bytes(raw[at + 1 : at + 4], "big")
        tags.append(raw[at:end])
        at = end
    tags = [tag for tag in tags if tag[0] != 18]  # without metadata
    first = next(tag for tag in tags if tag[0] == 8)
    tags.remove(first)
    tags.insert(next(i for i, tag in enumerate(tags) if tag[0] == 8), first)
    path.write_bytes(bytes(head) + b"".join(tags))
    return path


def test_a_track_that_begins_inside_the_file_ends_nothing(tmp_path):
    path = late_sound(tmp_path / "late.flv")
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    timing = read_timing(path)
    assert timing.reason == ""
    assert len(timing.times_s) == 40


def test_an_error_that_nobody_expects_is_a_reason_of_one_file(late, monkeypatch):
    def strange(path, time_zero):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(timing_of, "probe", strange)
    reason = read_timing(late).reason
    assert str(late) in reason
    assert "ZeroDivisionError: by zero" in reason


@pytest.mark.parametrize("zero", ["picture", "container"])
def test_a_recording_of_its_own_begins_with_the_first_picture(late, tmp_path, zero):
    images, sound = odd_videos.flash_and_click(40, 20)
    apart = odd_videos.write(tmp_path / "apart.mkv", images[:2], None, [(0.0, sound)], "matroska")
    media = MediaSettings(time_zero=zero)
    read_video(late, tmp_path / "record", media, person=Person(sound=apart))
    record = MediaRecord.open(tmp_path / "record")
    first_s = 0.6 if zero == "container" else 0.0
    samples, _ = record.waveform(0.0, record.duration_s, 16000)
    assert int(np.abs(samples).argmax()) / 16000 == pytest.approx(first_s + 0.8, abs=0.07)
