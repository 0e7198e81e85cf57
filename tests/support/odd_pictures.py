"""Builds small videos whose pictures or times are stored in a way that players know and few test.

Frames carry their number (`odd_videos.numbered`), so that a decoded frame says which one it is.
"""

import math
import re
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from support import odd_videos
from support.odd_videos import AUDIO_HZ, FPS, numbered, pictures

TAKE = 30  # frames of one take
FLASH = 17  # the white frame of the last take
WRAP_S = 2**33 / 90000  # timestamps of MPEG streams have 33 bits


def encode(
    path: Path,
    images: list[np.ndarray],
    form: str | None = None,
    codec: str = "libx264",
    sound: np.ndarray | None = None,
    aspect: Fraction | None = None,
    first: int = 0,
    pixels: str = "yuv420p",
    codec_options: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode images at 25 Hz, the first shown at frame `first` of the timeline, with sound at 0."""
    with av.open(str(path), "w", format=form, options=options or {}) as file:
        fast = {"preset": "veryfast", "crf": "16"} if codec == "libx264" else {}
        choices = {"g": "12", **fast, **(codec_options or {})}
        video = file.add_stream(codec, rate=FPS, options=choices)
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt = pixels
        if codec in ("mpeg2video", "mpeg4", "mjpeg"):
            video.bit_rate = 4_000_000
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        speech = None
        if sound is not None:
            kind = "mp2" if form in ("mpeg", "mpegts") else "libmp3lame" if form == "avi" else "aac"
            speech = file.add_stream(kind, rate=AUDIO_HZ, layout="mono")
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = first + number, Fraction(1, FPS)
            file.mux(video.encode(frame))
            if speech is not None:
                _speak(file, speech, sound, number)
        file.mux(video.encode())
        if speech is not None:
            file.mux(speech.encode())
    return path


def _speak(file, stream, sound: np.ndarray, number: int) -> None:
    """Encode the sound of one frame of pictures, so that the tracks are interleaved."""
    size = AUDIO_HZ // FPS
    piece = sound[number * size : (number + 1) * size].astype(np.float32)
    if len(piece):
        form = "fltp" if stream.codec_context.name != "mp2" else "s16"
        samples = piece if form == "fltp" else (piece * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], form, "mono")
        frame.sample_rate, frame.pts = AUDIO_HZ, number * size
        frame.time_base = Fraction(1, AUDIO_HZ)
        file.mux(stream.encode(frame))


def takes(count: int = 2) -> list[tuple[list[np.ndarray], np.ndarray]]:
    """Images and sound of takes whose frames are numbered on; the last one flashes and clicks."""
    result = []
    for take in range(count):
        images = [numbered(odd_videos.face(), take * TAKE + i) for i in range(TAKE)]
        sound = np.zeros(TAKE * AUDIO_HZ // FPS, np.float32)
        if take == count - 1:
            images[FLASH] = np.full_like(images[FLASH], 255)
            begin = FLASH * AUDIO_HZ // FPS
            sound[begin : begin + 80] = np.tile([0.8, -0.8], 40)
        result.append((images, sound))
    return result


def joined(
    path: Path,
    form: str = "mpegts",
    count: int = 2,
    starts_s: tuple[float, ...] = (),
    silent: bool = False,
    codec: str = "mpeg2video",
    mute: tuple[int, ...] = (),
) -> Path:
    """Write takes one after another, as `cat` does; each starts at its own `starts_s`.

    All takes are silent, or those in `mute`.
    """
    content = b""
    for number, (images, sound) in enumerate(takes(count)):
        part = path.with_name(f"{path.stem}_{number}.part")
        start = {"output_ts_offset": str(starts_s[number])} if starts_s else {}
        heard = None if silent or number in mute else sound
        encode(part, images, form, codec, heard, options=start)
        content += part.read_bytes()
        part.unlink()
    path.write_bytes(content)
    return path


def paused(path: Path, gap_s: float, form: str, sounds: bool) -> Path:
    """A recording whose pictures pause after half a take; the sound goes on or pauses too."""
    images = pictures(TAKE)
    shown_ms = [40 * i + (round(gap_s * 1000) if i >= TAKE // 2 else 0) for i in range(TAKE)]
    half_s = TAKE / 2 / FPS
    length_s = gap_s + 2 * half_s if sounds else half_s
    pieces = [(0.0, odd_videos.tone(length_s))]
    if not sounds:
        pieces.append((gap_s + half_s, odd_videos.tone(half_s)))
    return odd_videos.write(path, images, shown_ms, pieces, form=form)


def set_matrix(path: Path, degrees: float, flip: bool = False) -> Path:
    """Ask players to turn an MP4's pictures clockwise, after mirroring them left to right."""
    one, angle = 1 << 16, math.radians(degrees)
    cos, sin = round(math.cos(angle) * one), round(math.sin(angle) * one)
    sign = -1 if flip else 1
    raw = bytearray(path.read_bytes())
    at = raw.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", raw, at, sign * cos, sign * sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(raw))
    return path


def trimmed(path: Path, share: float) -> Path:
    """End the edit lists of an MP4 after that share of its length, as trimming on a phone does."""
    raw = bytearray(path.read_bytes())
    for match in re.finditer(rb"elst\0{4}\0{3}\x01", bytes(raw)):
        (length,) = struct.unpack_from(">I", raw, match.end())
        struct.pack_into(">I", raw, match.end(), round(length * share))
    path.write_bytes(bytes(raw))
    return path


def without_content(path: Path, frames: range) -> Path:
    """Overwrite the content of some frames of an AVI."""
    raw = bytearray(path.read_bytes())
    places = [match.start() for match in re.finditer(rb"00dc", bytes(raw))]
    for place in places[frames.start : frames.stop]:
        (size,) = struct.unpack_from("<I", raw, place + 4)
        raw[place + 8 : place + 8 + size] = b"\x55" * size
    path.write_bytes(bytes(raw))
    return path


def packed(path: Path, frames: int = TAKE, flash: int = FLASH) -> Path:
    """MPEG-4 with B-frames in AVI, each B-frame in one packet with the frame that follows it."""
    images = pictures(frames)
    images[flash] = np.full_like(images[flash], 255)
    with av.open(str(path), "w", format="avi") as file:
        choices = {"bf": "1", "g": "300", "b_strategy": "0"}
        video = file.add_stream("mpeg4", rate=FPS, options=choices)
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt, video.bit_rate = "yuv420p", 4_000_000
        packets = []
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            packets += video.encode(frame)
        packets += video.encode()
        # DivX marks such streams in their user data, which decoders look for.
        mark, begin = b"\x00\x00\x01\xb2DivX503b1393p\x00", b"\x00\x00\x01\xb6"
        data = [bytes(p) for p in packets]
        data[0] = data[0].replace(begin, mark + begin, 1)
        kinds = [d[d.index(begin) + 4] >> 6 for d in data]  # 0 I, 1 P, 2 B
        for number, (content, kind) in enumerate(zip(data, kinds, strict=True)):
            if kind == 2:
                content = b"\x00\x00\x01\xb6\x50\x00\x00"  # the frame before says it all
            elif number + 1 < len(kinds) and kinds[number + 1] == 2:
                content += data[number + 1]
            packet = av.Packet(content)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, FPS), video
            packet.is_keyframe = kind == 0
            file.mux(packet)
    return path


def two_tracks(path: Path) -> Path:
    """Matroska with two tracks of pictures: the screen first, the camera as default."""
    with av.open(str(path), "w", format="matroska") as file:
        streams = []
        for height, width in ((120, 160), (240, 320)):
            stream = file.add_stream("libx264", rate=FPS)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            streams.append(stream)
        streams[0].disposition, streams[1].disposition = 0, av.stream.Disposition.default
        grey = np.full((120, 160, 3), 90, np.uint8)
        for number, image in enumerate(pictures(TAKE)):
            for stream, shown in zip(streams, (grey, image), strict=True):
                frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                file.mux(stream.encode(frame))
        for stream in streams:
            file.mux(stream.encode())
    return path


def same_face(path: Path, **how: Any) -> Path:
    """The painting without a number, six frames."""
    return encode(path, [odd_videos.face()] * 6, **how)


def build(folder: Path) -> dict[str, Path]:
    """Videos of all kinds above by name."""
    folder.mkdir(parents=True, exist_ok=True)
    at = {
        "joined_ts": joined(folder / "joined.ts"),
        "joined_h264": joined(folder / "joined_h264.ts", codec="libx264"),
        "joined_ps": joined(folder / "joined.mpg", "mpeg"),
        "joined_three": joined(folder / "three.ts", count=3),
        "joined_mute": joined(folder / "mute.ts", silent=True),
        "joined_earlier": joined(folder / "earlier.ts", starts_s=(5000.0, 100.0)),
        "joined_later": joined(folder / "later.ts", starts_s=(100.0, 5000.0)),
        "wrapped": joined(folder / "wrap.ts", count=1, starts_s=(WRAP_S - 1.7,)),
        "packed": packed(folder / "packed.avi"),
        "h264_avi": encode(folder / "h264.avi", pictures(TAKE), "avi"),
        "bare": encode(folder / "bare.h264", pictures(TAKE), "h264"),
        "two_tracks": two_tracks(folder / "two_tracks.mkv"),
        "wide": encode(folder / "wide.mkv", pictures(8), aspect=Fraction(16, 11)),
        "tall": encode(folder / "tall.mp4", pictures(8), aspect=Fraction(8, 9)),
        "interlaced": encode(
            folder / "tff.mp4", pictures(8), codec_options={"x264-params": "tff=1"}
        ),
        "ten_bit": encode(folder / "ten.mp4", pictures(8), pixels="yuv420p10le"),
        "paused": paused(folder / "paused.ts", 21.0, "mpegts", sounds=True),
    }
    for degrees, flip in ((90, False), (0, True), (270, True), (33, False)):
        path = encode(folder / f"matrix_{degrees}_{flip}.mp4", pictures(8))
        at[path.stem] = set_matrix(path, degrees, flip)
    return at


def changing(path: Path, parts: list[Callable[[Path], Path]]) -> Path:
    """Join parts of a transport stream that differ (size, pixel aspect, pixel format)."""
    content = b""
    for number, build in enumerate(parts):
        content += build(path.with_name(f"{path.stem}_{number}.part")).read_bytes()
    path.write_bytes(content)
    return path
