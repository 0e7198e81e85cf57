"""Builds small videos with features of containers that players honour and few readers test."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from support import odd_pictures, odd_videos
from support.odd_videos import FPS

PACKET = 188  # bytes of a packet of a transport stream


def with_elements(path: Path, content: bytes) -> Path:
    """Write elements into the description of a Matroska file's pictures, instead of filling."""
    raw = bytearray(path.read_bytes())
    tracks = raw.index(b"\x16\x54\xae\x6b")
    fill = raw.index(b"\x54\xb2\x81\x04\x55\xee\x81\x00\xec\x01", tracks)  # unit, additions, void
    size = 8 + 9 + raw[fill + 16]
    left = size - len(content) - 2
    assert left >= 0
    raw[fill : fill + size] = content + b"\xec" + bytes([0x80 | left]) + bytes(left)
    video = raw.rindex(b"\xe0", tracks, fill)
    raw[video + 1] += size - 4  # the unit was part of it
    path.write_bytes(bytes(raw))
    return path


def element(number: int, value: int) -> bytes:
    """An element of Matroska that holds a small number."""
    return struct.pack(">H", number) + b"\x82" + struct.pack(">H", value)


def copied(source: Path, path: Path, form: str, groups: int = 0, packets: int = 0) -> Path:
    """Stream copy of the pictures without the first groups, and without packets of the next."""
    with av.open(str(source)) as old, av.open(str(path), "w", format=form) as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        begun = left = 0
        for packet in old.demux(video=0):
            begun += packet.is_keyframe
            if packet.size and begun > groups:
                left += 1
                if left > packets:
                    packet.stream = copy
                    new.mux(packet)
    return path


def appended(path: Path, images: list[np.ndarray], more: list[np.ndarray], lines: str) -> Path:
    """An MP4 whose second part brings its own parameters, as joining copies of streams makes it.

    `lines` are parameters of x264 for the second part.
    """
    first = odd_pictures.encode(
        path.with_suffix(".part.mp4"), images, codec_options={"bf": "0", "g": "9"}
    )
    bare = odd_pictures.encode(
        path.with_suffix(".h264"), more, "h264", codec_options={"bf": "0", "x264-params": lines}
    )
    with av.open(str(first)) as old, av.open(str(bare)) as own, av.open(str(path), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux():
            if packet.size:
                packet.stream = copy
                new.mux(packet)
        for number, packet in enumerate(p for p in own.demux() if p.size):
            units = bytes(packet).replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
            joined = av.Packet(b"".join(struct.pack(">I", len(unit)) + unit for unit in units))
            joined.pts = joined.dts = len(images) + number
            joined.duration, joined.time_base, joined.stream = 1, Fraction(1, FPS), copy
            joined.is_keyframe = packet.is_keyframe
            new.mux(joined)
    return path


def programs(path: Path, parts: list[Path]) -> Path:
    """Interleave transport streams of one program each, made by `program` with numbers 0, 1, …"""
    entries = b"".join(struct.pack(">HH", n + 1, 0xE000 | _place(n)) for n in range(len(parts)))
    table = b"\0" + struct.pack(">HH3B", 0xB009 + len(entries), 1, 0xC1, 0, 0) + entries
    table = b"\0" + table + struct.pack(">I", _crc(table))
    packets = [_packets(part) for part in parts]
    content, seen = [], 0
    for step in range(max(map(len, packets))):
        for number, of_part in enumerate(packets):
            for packet in of_part[step : step + 1]:
                place = struct.unpack_from(">H", packet, 1)[0] & 0x1FFF
                if place == 0 and number == 0:  # the table of programs
                    head = bytes([0x47, 0x40, 0, 0x10 | seen % 16])
                    packet, seen = (head + table).ljust(PACKET, b"\xff"), seen + 1
                if place not in (0, 0x11) or number == 0:
                    content.append(packet)
    path.write_bytes(b"".join(content))
    return path


def program(
    path: Path, number: int, images: list[np.ndarray], pitch_hz: float, sound_bits: int
) -> Path:
    """A transport stream of one program with a tone, for `programs`."""
    places = {
        "mpegts_pmt_start_pid": str(_place(number)),
        "mpegts_start_pid": str(_place(number) + 1),
        "mpegts_service_id": str(number + 1),
    }
    with av.open(str(path), "w", format="mpegts", options=places) as file:
        video = file.add_stream("mpeg2video", rate=FPS)
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt, video.bit_rate = "yuv420p", 20 * video.width * video.height
        sound = file.add_stream("mp2", rate=48000, layout="mono")
        sound.bit_rate = sound_bits
        for at, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, FPS)
            file.mux(video.encode(frame))
            instants_s = (np.arange(1920) + 1920 * at) / 48000
            wave = 6000 * np.sin(2 * np.pi * pitch_hz * instants_s)
            heard = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], "s16", "mono")
            heard.sample_rate, heard.pts = 48000, 1920 * at
            heard.time_base = Fraction(1, 48000)
            file.mux(sound.encode(heard))
        file.mux(video.encode())
        file.mux(sound.encode())
    return path


def _place(number: int) -> int:
    return 0x1000 + 0x100 * number


def _packets(path: Path) -> list[bytes]:
    raw = path.read_bytes()
    return [raw[at : at + PACKET] for at in range(0, len(raw), PACKET)]


def _crc(content: bytes) -> int:
    """Checksum of MPEG-2's tables."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


def views(path: Path, mode: str) -> Path:
    """Matroska with the painting twice in each picture, and what its header says about that."""
    axis = 0 if mode == "top_bottom" else 1
    image = np.concatenate([odd_videos.face()] * 2, axis)
    with av.open(str(path), "w", format="matroska") as file:
        video = file.add_stream("libx264", rate=FPS)
        video.height, video.width = image.shape[:2]
        video.pix_fmt, video.metadata["stereo_mode"] = "yuv420p", mode
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        file.mux(video.encode(frame))
        file.mux(video.encode())
    return path
