"""How pictures are shown: turned, mirrored, square pixels, and what changes inside a file."""

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from avfusion.errors import MediaError
from avfusion.media.display import UPRIGHT, aspect_of, turn_of
from avfusion.media.probe import picture_px, probe
from avfusion.media.video import Frames
from support import odd_pictures as odd
from support import odd_videos
from support.odd_videos import face, pictures


def shown(path):
    return [image for _, _, image in Frames(probe(path))]


def likeness(image, expected):
    """Correlation of two pictures' grey values."""
    assert image.shape == expected.shape
    return np.corrcoef(image.mean(2).ravel(), expected.mean(2).ravel())[0, 1]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return odd.same_face(tmp_path_factory.mktemp("plain") / "plain.mp4")


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_pictures_are_turned_after_they_are_mirrored(tmp_path, plain, degrees, flip):
    path = tmp_path / "turned.mp4"
    path.write_bytes(plain.read_bytes())
    odd.set_matrix(path, degrees, flip)
    expected = face()[:, ::-1] if flip else face()
    expected = np.rot90(expected, -degrees // 90)
    assert likeness(shown(path)[0], expected) > 0.99
    turn = probe(path).pictures.turn
    assert (turn.mirrored, turn.is_odd) == (flip, False)
    assert any("mirror" in text for text in probe(path).warnings) == flip


@pytest.mark.parametrize(("degrees", "expected"), [(10, 0), (-37, 0), (100, 270), (200, 180)])
def test_an_angle_between_becomes_the_nearest_quarter_turn_and_is_named(
    tmp_path, plain, degrees, expected
):
    path = tmp_path / "askew.mp4"
    path.write_bytes(plain.read_bytes())
    odd.set_matrix(path, degrees)
    file = probe(path)
    assert file.pictures.turn.rotation == expected
    assert any("degrees more than a quarter turn" in text for text in file.warnings)


def test_a_matrix_of_zeros_changes_nothing():
    assert turn_of(np.zeros((3, 3))) == UPRIGHT


@pytest.mark.parametrize(
    ("form", "codec", "aspect"),
    [
        ("mp4", "libx264", Fraction(64, 45)),
        ("matroska", "libx264", Fraction(16, 11)),
        ("mpegts", "libx264", Fraction(16, 11)),
        ("mpeg", "mpeg2video", Fraction(4, 3)),
        ("avi", "mpeg4", Fraction(16, 11)),
        ("mp4", "libx264", Fraction(8, 9)),
    ],
)
def test_pixels_become_square(tmp_path, form, codec, aspect):
    path = odd.same_face(tmp_path / "v", form=form, codec=codec, aspect=aspect)
    image = shown(path)[0]
    height, width, _ = image.shape
    assert width / height == pytest.approx(float(aspect) * 4 / 3, rel=0.01)
    assert min(width / 320, height / 240) >= 1, "no picture is made smaller"
    file = probe(path)
    assert file.described()["pixel_aspect"] == f"{aspect.numerator}:{aspect.denominator}"
    assert file.described()["shown_px"] == [width, height]
    assert picture_px(path) == (320, 240)
    assert any("not square" in text for text in file.warnings)


def test_squeezed_pixels_give_the_picture_of_square_ones(tmp_path, plain):
    import cv2

    squeezed = cv2.resize(face(), (240, 240), interpolation=cv2.INTER_AREA)
    path = odd.encode(tmp_path / "v.mp4", [squeezed] * 3, aspect=Fraction(4, 3))
    assert likeness(shown(path)[0], shown(plain)[0]) > 0.98


@pytest.mark.parametrize("value", [Fraction(1000), Fraction(1, 1000), Fraction(-1)])
def test_an_aspect_without_sense_is_ignored_and_named(value):
    aspect, warning = aspect_of(value)
    assert (aspect, "makes no sense" in warning) == (1, True)


@pytest.mark.parametrize("value", [None, Fraction(0), Fraction(1081, 1080)])
def test_no_aspect_and_a_rounded_one_are_square(value):
    assert aspect_of(value) == (1, "")


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
def test_the_pixel_aspect_may_change_inside_a_stream(tmp_path, codec):
    def part(aspect):
        return lambda path: odd.encode(path, pictures(9), "mpegts", codec, aspect=aspect)

    parts = [part(Fraction(1)), part(Fraction(4, 3))]
    frames = Frames(probe(odd.changing(tmp_path / "v.ts", parts)))
    assert [image.shape[1] for _, _, image in frames] == [320] * 9 + [426] * 9
    assert "the pixel aspect changes at 0.36 s (1:1 to 4:3)" in frames.warnings


def test_size_and_pixel_format_may_change_inside_a_stream(tmp_path):
    def part(images, pixels):
        return lambda path: odd.encode(path, images, "mpegts", pixels=pixels)

    tall = [np.ascontiguousarray(np.rot90(image)) for image in pictures(9)]
    parts = [part(pictures(9), "yuv420p"), part(tall, "yuv444p")]
    frames = Frames(probe(odd.changing(tmp_path / "v.ts", parts)))
    assert [image.shape[:2] for _, _, image in frames] == [(240, 320)] * 9 + [(320, 240)] * 9
    assert "the picture size changes at 0.36 s (320x240 to 240x320)" in frames.warnings
    assert "the pixel format changes at 0.36 s (yuv420p to yuv444p)" in frames.warnings


def test_interlaced_pictures_are_named(tmp_path):
    lines = {"x264-params": "tff=1"}
    file = probe(odd.encode(tmp_path / "v.mp4", pictures(6), codec_options=lines))
    assert file.described()["interlaced"]
    assert any("interlaced" in text for text in file.warnings)


def test_of_several_picture_tracks_the_default_is_read_and_the_others_named(tmp_path):
    path = odd.two_tracks(tmp_path / "v.mkv")
    file = probe(path)
    assert (file.pictures.track, file.pictures.tracks) == (1, 2)
    assert "picture track 2 is read, not track 1 (160x120)" in file.warnings
    assert [odd_videos.number_in(image) for image in shown(path)] == list(range(odd.TAKE))
    assert picture_px(path) == (320, 240)


def test_a_cover_is_no_film(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as file:
        sound = file.add_stream("aac", rate=odd_videos.AUDIO_HZ, layout="mono")
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        file.mux(cover.encode(av.VideoFrame.from_ndarray(face(), format="rgb24")))
        file.mux(cover.encode())
        odd_videos._mux_sound(file, sound, 0.0, odd_videos.tone(1))
        file.mux(sound.encode())
    with pytest.raises(MediaError, match=r"no picture track .*cover picture; this is a sound file"):
        probe(path)


def test_a_frame_nobody_wants_is_not_converted_and_keeps_its_time(tmp_path):
    file = probe(odd.encode(tmp_path / "v.mp4", pictures(8), aspect=Fraction(16, 11)))
    some = list(Frames(file, wanted=lambda index, time_s: index % 2 == 0))
    assert [image is not None for _, _, image in some] == [True, False] * 4
    assert [time_s for _, time_s, _ in some] == file.times_s.tolist()


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    readable = odd_videos.build(folder / "videos")
    for name in ("empty", "cut_off", "not_media", "sound_only", "missing"):
        del readable[name]
    return {**readable, **odd.build(folder / "pictures")}


def test_decord_and_pyav_read_the_same_frames_at_the_same_times(all_kinds):
    readers = set()
    for name, path in all_kinds.items():
        file = probe(path)
        mixed, pyav = Frames(file), Frames(file, use_decord=False)
        for ours, theirs in zip(mixed, pyav, strict=True):
            assert ours[:2] == theirs[:2], name
            assert np.array_equal(ours[2], theirs[2]), name
        assert mixed.warnings == pyav.warnings[1:], name
        readers.add(mixed.reader)
    assert readers == {"decord", "pyav"}


def test_frames_come_at_the_times_that_verify_reads(all_kinds):
    from avfusion.media.timing import read_timing

    for name, path in all_kinds.items():
        for zero in ("picture", "container"):
            times_s = [time_s for _, time_s, _ in Frames(probe(path, zero))]
            assert times_s, name
            assert times_s == read_timing(path, zero).times_s[: len(times_s)].tolist(), name
            assert (np.diff(times_s) > 0).all(), name


@pytest.mark.parametrize("name", ["plain", "uneven", "turned_90", "wide", "joined_ts"])
def test_the_record_is_the_same_with_and_without_decord(all_kinds, tmp_path, name):
    from avfusion.config.sections import SignalSettings
    from avfusion.media.read import read_video

    path = all_kinds.get(name) or all_kinds["name"]
    records, metas = [], []
    for use_decord in (True, False, True):
        folder = tmp_path / f"{use_decord}{len(records)}"
        metas.append(read_video(path, folder, SignalSettings(), use_decord=use_decord))
        files = sorted(p for p in folder.iterdir() if p.name != "meta.json")
        records.append({p.name: p.read_bytes() for p in files})
    assert records[0] == records[1] == records[2]
    assert "frames.parquet" in records[0]
    readers = [meta["reader"] for meta in metas]
    assert readers == (
        ["decord", "pyav", "decord"] if name in ("plain", "uneven") else ["pyav"] * 3
    )
    for meta in metas:
        meta["reader"] = ""
        meta["warnings"] = [w for w in meta["warnings"] if w != "read without decord"]
    assert metas[0] == metas[1] == metas[2]


def test_a_scan_that_changes_inside_a_stream_is_named(tmp_path):
    def part(lines):
        return lambda path: odd.encode(path, pictures(9), "mpegts", codec_options=lines)

    path = odd.changing(tmp_path / "v.ts", [part({}), part({"x264-params": "tff=1"})])
    frames = Frames(probe(path))
    assert len(list(frames)) == 18
    assert "the scan changes at 0.36 s (progressive to interlaced)" in frames.warnings


def jpeg_with_orientation(image, orientation):
    """Return a JPEG whose EXIF data say how it is turned."""
    raw = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    exif = b"Exif\0\0" + tiff
    return raw[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + raw[2:]


@pytest.mark.parametrize(("orientation", "quarters"), [(1, 0), (6, -1), (3, 2), (8, 1)])
def test_data_of_an_unknown_kind_do_not_hide_the_turn(tmp_path, orientation, quarters):
    path = tmp_path / "exif.mkv"
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for number in range(4):
            packet = av.Packet(jpeg_with_orientation(face(), orientation))
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            file.mux(packet)
    assert likeness(shown(path)[0], np.rot90(face(), quarters)) > 0.99
    assert any("unknown kind" in text for text in probe(path).warnings)
