"""Frames come once, in order, at their own times, whichever reader gives them."""

import gc
import sys

import av
import numpy as np
import pytest

from avfusion.media import timing
from avfusion.media.probe import probe
from avfusion.media.timing import read_timing
from avfusion.media.video import Frames
from support import odd_videos

decord = pytest.importorskip("decord")


@pytest.fixture
def plain(tmp_path):
    return odd_videos.write(tmp_path / "plain.mp4", odd_videos.pictures())


def read(frames):
    return [(index, time_s, odd_videos.number_in(image)) for index, time_s, image in frames]


@pytest.mark.parametrize("form", ["mp4", "matroska", "avi"])
@pytest.mark.parametrize("use_decord", [True, False])
def test_every_frame_once_in_order_at_its_time(tmp_path, form, use_decord):
    path = odd_videos.write(tmp_path / "clip", odd_videos.pictures(), form=form)
    found = read(Frames(probe(path), use_decord))
    assert [number for _, _, number in found] == list(range(odd_videos.FRAMES))
    assert [index for index, _, _ in found] == list(range(odd_videos.FRAMES))


def test_both_readers_give_the_same_frames(plain):
    ours, theirs = Frames(probe(plain)), Frames(probe(plain), use_decord=False)
    for (_, time_s, image), (_, other_s, other) in zip(ours, theirs, strict=True):
        assert time_s == pytest.approx(other_s, abs=1e-3)
        np.testing.assert_array_equal(image, other)
    assert (ours.reader, theirs.reader) == ("decord", "pyav")


def test_frames_that_were_read_are_given_back_at_once(plain):
    """Otherwise hundreds wait for a late collection, which is 1 GB of 1080p."""
    gc.collect()
    gc.disable()
    try:
        for _ in Frames(probe(plain), use_decord=False):
            pass
        held = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert held <= 2


def test_when_decord_stops_half_way_pyav_goes_on_from_there(plain, monkeypatch):
    real, asked = decord.VideoReader.next, []

    def failing(self):
        asked.append(1)
        if len(asked) > 20:
            raise decord.DECORDError("cannot decode")
        return real(self)

    monkeypatch.setattr(decord.VideoReader, "next", failing)
    frames = Frames(probe(plain))
    assert [number for _, _, number in read(frames)] == list(range(odd_videos.FRAMES))
    assert frames.reader == "pyav"
    assert "gave up at frame 20" in frames.warnings[0]


def test_without_decord_installed_pyav_reads(plain, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    frames = Frames(probe(plain))
    assert [number for _, _, number in read(frames)] == list(range(odd_videos.FRAMES))
    assert frames.reader == "pyav"


def test_decord_is_not_trusted_with_times_that_differ(tmp_path, monkeypatch):
    path = odd_videos.write(tmp_path / "uneven.mp4", odd_videos.pictures(), odd_videos.uneven_ms())
    even = np.arange(odd_videos.FRAMES)[:, None] / odd_videos.FPS + np.zeros(2)
    monkeypatch.setattr(decord.VideoReader, "get_frame_timestamp", lambda self, which: even)
    frames = Frames(probe(path))
    times_s = [time_s for _, time_s, _ in read(frames)]
    assert frames.reader == "pyav"
    np.testing.assert_allclose(times_s, np.array(odd_videos.uneven_ms()) / 1000, atol=1e-3)


def test_damage_in_the_middle_costs_some_frames_and_is_told(tmp_path):
    path = tmp_path / "damaged.mp4"
    odd_videos.write(path, odd_videos.pictures(), options={"movflags": "+faststart"})
    raw = bytearray(path.read_bytes())
    begin = raw.index(b"mdat") + (len(raw) - raw.index(b"mdat")) // 2
    raw[begin : begin + 400] = bytes(400)
    path.write_bytes(bytes(raw))
    frames = Frames(probe(path), use_decord=False)
    found = read(frames)
    assert len(found) > odd_videos.FRAMES // 2
    assert found[-1][1] == pytest.approx((odd_videos.FRAMES - 1) / odd_videos.FPS, abs=0.01)
    assert any("damaged" in warning for warning in frames.warnings)


def test_times_are_kept_for_the_code_that_read_them_alone(tmp_path, monkeypatch):
    path, calls = tmp_path / "a.mkv", []
    odd_videos.write(path, odd_videos.pictures(5), [0, 40, 80, 120, 160], form="matroska")

    def read(path, time_zero, free):
        calls.append(path)
        return read_timing(path, time_zero)

    monkeypatch.setattr(timing, "_timed_apart", read)
    for code in ("one", "one", "two"):
        monkeypatch.setattr(timing, "fingerprint", lambda module, code=code: code)
        (found,) = timing.timings([("a", path, "0" * 64)], tmp_path / "times").values()
        np.testing.assert_allclose(found.times_s, [0, 0.04, 0.08, 0.12, 0.16])
    assert len(calls) == 2
