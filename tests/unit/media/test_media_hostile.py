"""Test that media files from strangers cost one row, and neither disk, memory nor the command."""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from avfusion.errors import MediaError
from avfusion.media import bounds
from avfusion.media.isolate import Reader
from avfusion.media.limits import Limits
from avfusion.media.probe import probe
from avfusion.media.sound_only import probe_sound
from avfusion.media.timing import timings
from avfusion.media.video import Frames
from support import hostile_videos, odd_videos, odd_work


def test_a_title_that_is_not_utf_8_is_no_fault(tmp_path):
    assert len(probe(hostile_videos.latin_title(tmp_path / "a.avi")).times_s) == 5


def test_a_length_that_the_file_cannot_hold_is_refused(tmp_path):
    path = hostile_videos.long_step(tmp_path / "a.mp4")
    assert path.stat().st_size < 30_000
    with pytest.raises(MediaError, match=r"claims to last 134,218 s .* at most 1,... s"):
        probe(path)


@pytest.mark.parametrize("ticks", [30_000_000, 2_000_000_000])
def test_shorter_claims_are_measured_by_the_size_of_the_file(tmp_path, ticks):
    with pytest.raises(MediaError, match="claims to last"):
        probe(hostile_videos.long_step(tmp_path / "a.mp4", ticks))


def test_a_sound_with_a_far_timestamp_is_refused(tmp_path):
    path = tmp_path / "a.mka"
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for start_s in (0, 90_000):
            frame = av.AudioFrame.from_ndarray(np.full((1, 8000), 1000, np.int16), "s16", "mono")
            frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
            frame.pts = start_s * 16_000
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with pytest.raises(MediaError, match="claims to last"):
        probe_sound(path)


@pytest.mark.parametrize("in_header", [True, False])
def test_too_large_pictures_are_refused_before_they_are_decoded(tmp_path, in_header):
    path = hostile_videos.huge_pictures(tmp_path / "a.mov", in_header=in_header)
    with pytest.raises(MediaError, match=r"16128 x 16128 pixels|no frame can be decoded"):
        probe(path)


def test_an_edit_list_that_repeats_the_file_is_refused(tmp_path):
    with pytest.raises(MediaError, match="edit list repeats"):
        probe(hostile_videos.repeated(tmp_path / "a.mp4"))


def test_an_edit_list_that_repeats_little_is_read(tmp_path):
    assert len(probe(hostile_videos.repeated(tmp_path / "a.mp4", 2)).times_s) >= 25


def test_a_name_is_never_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd_videos.write(tmp_path / "a.mp4", odd_videos.pictures(3))
    name = tmp_path / "concat:a.mp4|a.mp4"
    (tmp_path / "a.mp4").rename(name)
    assert len(probe(name.relative_to(tmp_path)).times_s) == 3


# The zero byte hides from `kinds` that the file is a text.
LISTS = {
    "list.mp4": b"ffconcat version 1.0\nfile other.ts\n#\0",
    "list.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n#\0",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_container_cannot_name_other_files(tmp_path, name):
    other = odd_videos.write(tmp_path / "other.ts", odd_videos.pictures(3))
    path = tmp_path / name
    path.write_bytes(LISTS[name])
    with av.open(str(path)) as container:
        assert container.streams.video, "FFmpeg itself no longer opens it"
    for read in (bounds.opened, probe, probe_sound):
        with pytest.raises(MediaError, match="a list of other files"):
            read(path)
    assert len(probe(other).times_s) == 3


def test_a_name_is_no_pattern_of_names(tmp_path):
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
    frame.to_image().save(tmp_path / "1.jpg")
    (tmp_path / "%d.jpg").write_bytes(b"\0")
    with av.open(str(tmp_path / "%d.jpg")) as container:
        assert len(list(container.decode())) == 1, "FFmpeg itself no longer reads 1.jpg"
    with pytest.raises(av.FFmpegError), bounds.opened(tmp_path / "%d.jpg") as container:
        list(container.decode())


def test_one_strange_file_fails_alone(tmp_path, monkeypatch):
    good = odd_videos.write(tmp_path / "good.mp4", odd_videos.pictures(5))
    bad = hostile_videos.long_step(tmp_path / "bad.mp4")
    read = timings([("good", good, "1"), ("bad", bad, "2")], tmp_path / "times")
    assert read["good"].reason == ""
    np.testing.assert_array_equal(read["good"].times_s, probe(good).times_s)
    assert "claims to last" in read["bad"].reason


def test_files_with_flipped_bits_are_read_or_refused_by_name(tmp_path):
    good = odd_videos.write(tmp_path / "good.mp4", odd_videos.pictures(5)).read_bytes()
    generator, videos = np.random.default_rng(0), []
    for number in range(30):
        raw = bytearray(good)
        for at in generator.integers(len(raw), size=3):
            raw[at] ^= 1 << int(generator.integers(8))
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(raw)
        videos.append((path.stem, path, str(number)))
    read = timings(videos, tmp_path / "times")
    assert read.keys() == {name for name, *_ in videos}
    for name, path, _ in videos:
        assert len(read[name].times_s) or str(path) in read[name].reason


def test_only_plain_files_are_read_by_decord(tmp_path):
    plain = odd_videos.write(tmp_path / "plain.mp4", odd_videos.pictures(5))
    edited = hostile_videos.repeated(tmp_path / "edited.mp4", 2)
    readers = {}
    for path in (plain, edited):
        frames = Frames(probe(path))
        assert [index for index, *_ in frames]
        readers[path.stem] = frames.reader
    assert readers == {"plain": "decord", "edited": "pyav"}


@pytest.fixture(scope="module")
def small():
    """A reader that may use 256 MB and write 2 MB."""
    with Reader(Limits(memory_mb=256, file_mb=2), preload=("support.odd_work",)) as reader:
        yield reader


def test_memory_of_the_reader_is_limited(small):
    assert small.attempt(odd_work.hoard, (), 30) == {"reason": "no memory"}


def test_what_the_reader_writes_is_limited(small, tmp_path):
    state = small.attempt(odd_work.fill, (tmp_path / "full",), 30)
    assert state == {"reason": "File too large"}
    assert (tmp_path / "full").stat().st_size == 2 << 20


KILLED = """
from avfusion.media.isolate import Reader
from support import odd_work
if __name__ == "__main__":
    with Reader(preload=("support.odd_work",)) as reader:
        reader.attempt(odd_work.wait, (), 60, lambda pid, _: print(pid, flush=True))
"""


def test_the_reader_ends_with_a_killed_command(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as command:
        reader = int(command.stdout.readline())
        command.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while time.monotonic() < until and _runs(reader):
        time.sleep(0.05)
    assert not _runs(reader)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
