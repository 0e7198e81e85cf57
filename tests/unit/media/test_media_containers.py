"""What containers say about their pictures and players honour: crops, programs, views, groups."""

import math
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from avfusion.errors import MediaError
from avfusion.media.audio import Sound
from avfusion.media.cropping import Crop
from avfusion.media.display import SQUARE, UPRIGHT, upright
from avfusion.media.probe import probe
from avfusion.media.timing import read_timing
from avfusion.media.video import Frames
from support import odd_containers as odd
from support import odd_pictures, odd_videos
from support.odd_videos import FPS, face, number_in, pictures

SIDES = {"left": 0x54CC, "top": 0x54BB, "right": 0x54DD, "bottom": 0x54AA}


def read(file, use_decord=True):
    """All frames of a file, and the reader of them."""
    frames = Frames(file, use_decord)
    return list(frames), frames


def assert_same(path):
    """Both readers give the same frames and warnings; return them."""
    file = probe(path)
    (ours, mixed), (theirs, pyav) = read(file), read(file, use_decord=False)
    assert [frame[:2] for frame in ours] == [frame[:2] for frame in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert np.array_equal(mine[2], other[2])
    assert mixed.warnings == pyav.warnings[1:]
    return ours, mixed


@pytest.mark.parametrize("form", ["matroska", "mp4"])
@pytest.mark.parametrize(
    "crop", [{"left": 24}, {"bottom": 10, "right": 31}, {"top": 40, "left": 2, "right": 6}]
)
def test_a_crop_of_the_container_is_cut_off(tmp_path, crop, form):
    path = odd_pictures.encode(tmp_path / "v.mkv", [face()] * 3, "matroska")
    (stored,) = [image for _, _, image in read(probe(path))[0][:1]]
    odd.with_elements(path, b"".join(odd.element(SIDES[side], px) for side, px in crop.items()))
    if form == "mp4":
        path = odd.copied(path, tmp_path / "v.mp4", "mp4")
        assert b"clap" in path.read_bytes()
    left, top, right, bottom = (crop.get(side, 0) for side in SIDES)
    expected = stored[top : 240 - bottom, left : 320 - right]
    file = probe(path)
    frames, reader = read(file)
    assert reader.reader == "pyav"
    assert np.array_equal(frames[0][2], expected)
    height, width = expected.shape[:2]
    assert file.described()["shown_px"] == [width, height]
    assert file.described()["crop"] == {"left": 0, "top": 0, "right": 0, "bottom": 0, **crop}
    assert file.warnings == (
        f"the file asks to crop its pictures from 320x240 to {width}x{height}; they are cropped",
    )


def test_a_cropped_picture_is_then_scaled_and_turned(tmp_path):
    path = odd_pictures.encode(tmp_path / "v.mkv", [face()] * 3, "matroska", aspect=Fraction(3, 2))
    odd.with_elements(path, odd.element(SIDES["left"], 80))
    path = odd.copied(path, tmp_path / "v.mp4", "mp4")
    odd_pictures.set_matrix(path, 90)
    file = probe(path)
    image = read(file)[0][0][2]
    assert image.shape == (360, 240, 3)
    assert file.described()["shown_px"] == [240, 360]
    turned = np.rot90(face()[:, 80:], -1).mean(2)
    assert np.corrcoef(image[::3, :].mean(2)[:119].ravel(), turned[::2][:119].ravel())[0, 1] > 0.9


def test_without_a_crop_the_record_says_nothing_of_it(tmp_path):
    path = odd_pictures.encode(tmp_path / "v.mkv", [face()] * 3, "matroska")
    assert "crop" not in probe(path).described()


def test_a_crop_of_everything_is_refused(tmp_path):
    path = odd_pictures.encode(tmp_path / "v.mkv", [face()] * 3, "matroska")
    odd.with_elements(path, odd.element(SIDES["top"], 240))
    with pytest.raises(MediaError, match=r"v\.mkv: cannot be opened as a video"):
        probe(path)


def test_pictures_that_become_smaller_than_the_crop_are_shown(tmp_path):
    frame = av.VideoFrame.from_ndarray(face()[:40, :60].copy(), format="rgb24")
    crop = Crop(left=10, top=4, right=0, bottom=50)
    shown = upright(frame, UPRIGHT, SQUARE, VideoReformatter(), crop)
    assert np.array_equal(shown, face()[:40, :60])


def test_the_sound_is_of_the_program_of_the_pictures(tmp_path):
    pitches_hz, apart = (440, 880), 0
    for bits in ((64_000, 256_000), (256_000, 64_000)):
        parts = [
            odd.program(tmp_path / f"{number}.ts", number, pictures(40), pitch_hz, bits[number])
            for number, pitch_hz in enumerate(pitches_hz)
        ]
        path = odd.programs(tmp_path / "both.ts", parts)
        file = probe(path)
        with av.open(str(path)) as container:
            best = container.streams.best("audio")
            apart += container.streams.audio.index(best) != file.pictures.track
        samples = np.concatenate([piece for _, piece in Sound(file, 16_000)])
        loudest_hz = np.abs(np.fft.rfft(samples)).argmax() * 16_000 / len(samples)
        assert loudest_hz == pytest.approx(pitches_hz[file.pictures.track], abs=5)
    assert apart, "FFmpeg itself takes sound of the same program"


def group(path, codec, frames=45, keyint=15):
    """A transport stream whose groups of pictures refer to the one before them."""
    lines = f"open-gop=1:keyint={keyint}:min-keyint={keyint}:scenecut=0:bframes=3:b-adapt=0"
    options = {
        "libx264": {"x264-params": lines},
        "libx265": {"x265-params": f"{lines}:log-level=none", "preset": "ultrafast"},
        "mpeg2video": {"bf": "2", "g": str(keyint), "sc_threshold": "1000000000"},
    }
    images = pictures(frames)
    return odd_pictures.encode(path, images, "mpegts", codec, codec_options=options[codec])


@pytest.mark.parametrize("form", ["mpegts", "matroska"])
@pytest.mark.parametrize("packets", [0, 5])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_time_zero_is_the_first_picture_that_can_be_shown(tmp_path, codec, packets, form):
    source = group(tmp_path / "all.ts", codec)
    shown = {number_in(image): at_s for _, at_s, image in read(probe(source))[0]}
    path = odd.copied(source, tmp_path / "part.any", form, 1, packets)
    file = probe(path)
    frames, reader = read(file)
    times_s = [at_s for _, at_s, _ in frames]
    numbers = [number_in(image) for *_, image in frames]
    assert times_s[0] == 0.0
    assert times_s == file.times_s.tolist() == read_timing(path).times_s.tolist()
    after_s = [shown[number] - shown[numbers[0]] for number in numbers]
    np.testing.assert_allclose(times_s, after_s, atol=2e-3)
    assert numbers[-1] == 44
    assert not [text for text in reader.warnings if "could be read" in text]
    (warning,) = [text for text in file.warnings if "inside a group of pictures" in text]
    assert f"({file.hidden})" in warning
    assert file.hidden > 0


def test_an_avi_that_is_cut_inside_a_group_keeps_its_times(tmp_path):
    lines = {"x264-params": "keyint=15:min-keyint=15:scenecut=0:bframes=2:b-adapt=0"}
    source = odd_pictures.encode(tmp_path / "all.avi", pictures(45), "avi", codec_options=lines)
    path = odd.copied(source, tmp_path / "part.avi", "avi", 1, 6)
    file, complete = probe(path), probe(source)
    frames, _ = read(file)
    assert [number_in(image) for *_, image in frames] == [*range(30, 45)]
    at_s = [file.origin_s + time_s - complete.origin_s for _, time_s, _ in frames]
    np.testing.assert_allclose(at_s, np.arange(30, 45) / FPS)


def test_a_join_after_a_cut_beginning_keeps_its_place(tmp_path):
    first = odd.copied(group(tmp_path / "a.ts", "libx264"), tmp_path / "b.ts", "mpegts", 1)
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + (tmp_path / "a.ts").read_bytes())
    file = probe(path)
    numbers = [number_in(image) for *_, image in read(file)[0]]
    assert numbers == [*range(numbers[0], 45), *range(45)]
    assert (np.diff(file.times_s) > 0).all()
    assert file.times_s[-1] == pytest.approx((len(numbers) - 1) / FPS)


def test_a_damaged_beginning_keeps_its_time(tmp_path):
    path = odd_pictures.encode(tmp_path / "v.mp4", pictures(36))
    with av.open(str(path)) as file:
        begins = [packet.pos for packet in file.demux(video=0) if packet.size]
    raw = bytearray(path.read_bytes())
    raw[begins[0] : begins[12]] = bytes(begins[12] - begins[0])  # the first group of pictures
    path.write_bytes(bytes(raw))
    frames, _ = read(probe(path))
    assert number_in(frames[-1][2]) == 35
    assert frames[-1][1] == pytest.approx(35 / FPS, abs=2e-3)


@pytest.mark.parametrize(
    ("more", "lines", "change"),
    [
        ([image[::2, ::2].copy() for image in pictures(8)], "", "size changes at 0.80 s (320x240"),
        (pictures(8), "tff=1", "scan changes at 0.80 s (progressive to interlaced)"),
        (
            pictures(8),
            "colormatrix=bt709:fullrange=on",
            "pixel format changes at 0.80 s (yuv420p to yuvj420p)",
        ),
    ],
)
def test_copies_of_streams_may_change_inside_an_mp4(tmp_path, more, lines, change):
    path = odd.appended(tmp_path / "v.mp4", pictures(20), more, lines or "ref=1")
    frames, reader = assert_same(path)
    assert len(frames) == 28
    assert frames[-1][2].shape == more[0].shape
    assert reader.reader == "pyav"
    assert any(change in text for text in reader.warnings)


def test_damage_is_counted_whichever_reader_may_read(tmp_path):
    good = odd_videos.write(tmp_path / "good.mp4", pictures(40)).read_bytes()
    inside = good.index(b"mdat") + 1500
    generator, counts = np.random.default_rng(5), []
    for number in range(12):
        raw = bytearray(good)
        for at in generator.integers(inside, len(raw) - 4000, size=2):
            raw[at] ^= 1 << int(generator.integers(8))
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(bytes(raw))
        counts.append(any("damaged pictures" in text for text in assert_same(path)[1].warnings))
    assert sum(counts) > 6


def test_encrypted_pictures_are_refused(tmp_path):
    scheme = {"encryption_scheme": "cenc-aes-ctr", "encryption_kid": 32 * "1"}
    path = odd_pictures.encode(
        tmp_path / "v.mp4", pictures(10), options={**scheme, "encryption_key": 32 * "7"}
    )
    with pytest.raises(MediaError, match=r"v\.mp4: its video is encrypted\. Ask its owner"):
        probe(path)
    assert "encrypted" in read_timing(path).reason


def test_a_still_picture_in_an_mp4_is_no_film_and_a_sequence_is_one(tmp_path):
    for name, count in (("still.avif", 1), ("sequence.avif", 4)):
        with av.open(str(tmp_path / name), "w", format="avif") as file:
            stream = file.add_stream("libsvtav1", rate=5, options={"preset": "12"})
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            for number, image in enumerate(pictures(count)):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = number
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
    still = read_timing(tmp_path / "still.avif")
    assert not still.is_video
    assert "a still picture (AVIF)" in still.reason
    assert len(read_timing(tmp_path / "sequence.avif").times_s) == 4


@pytest.mark.parametrize(
    ("mode", "how"),
    [("left_right", "side by side"), ("top_bottom", "one above the other"), ("mono", "")],
)
def test_two_views_in_a_picture_are_named(tmp_path, mode, how):
    warnings = probe(odd.views(tmp_path / "v.mkv", mode)).warnings
    expected = f"each picture holds two views for 3-D ({how})"
    assert [text.partition(",")[0] for text in warnings] == ([expected] if how else [])


@pytest.mark.parametrize(("projection", "count"), [(0, 0), (1, 1)])
def test_pictures_of_all_directions_are_named(tmp_path, projection, count):
    path = odd_pictures.encode(tmp_path / "v.mkv", [face()] * 3, "matroska")
    odd.with_elements(path, b"\x76\x70\x85" + odd.element(0x7671, projection))
    warnings = [text for text in probe(path).warnings if "all directions" in text]
    assert len(warnings) == count


@pytest.mark.parametrize("gain_db", [-6.0, 3.0])
def test_the_gain_in_the_header_of_opus_is_applied(tmp_path, gain_db):
    levels = []
    for name, steps in (("plain", 0), ("gain", round(gain_db * 256))):
        path = tmp_path / f"{name}.mkv"
        odd_videos.write(
            path,
            pictures(12),
            audio=[(0.0, np.tile(odd_videos.tone(1), 2))],
            form="matroska",
            audio_codec="libopus",
        )
        raw = bytearray(path.read_bytes())
        at = raw.index(b"OpusHead") + 16
        raw[at : at + 2] = steps.to_bytes(2, "little", signed=True)
        path.write_bytes(bytes(raw))
        samples = np.concatenate([piece for _, piece in Sound(probe(path), 16_000)])
        levels.append(20 * math.log10(np.sqrt(np.square(samples).mean())))
    assert levels[1] - levels[0] == pytest.approx(gain_db, abs=0.05)


@pytest.mark.parametrize(("transfer", "count"), [("smpte2084", 1), ("arib-std-b67", 0)])
def test_pictures_that_need_tone_mapping_are_named(tmp_path, transfer, count):
    lines = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:log-level=none"
    path = odd_pictures.encode(
        tmp_path / "v.mp4",
        pictures(3),
        codec="libx265",
        pixels="yuv420p10le",
        codec_options={"x265-params": lines},
    )
    assert sum("without tone mapping" in text for text in probe(path).warnings) == count
