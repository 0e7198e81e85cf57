"""Builds small videos that are odd in one known way each, with PyAV, for the media tests."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

ASSET = Path(__file__).parent / "assets" / "gauss_320x240.jpg"
FPS, FRAMES, AUDIO_HZ = 25, 50, 16000
CODE_BITS, CODE_PX = 8, 16  # the frame's number as black and white squares in the top rows
_MS = Fraction(1, 1000)


def face() -> np.ndarray:
    """The painting, RGB uint8 (240, 320, 3)."""
    return cv2.imread(str(ASSET))[..., ::-1].copy()


def numbered(image: np.ndarray, number: int) -> np.ndarray:
    """The image with `number` written into it, so that a decoded frame says which one it is."""
    out = image.copy()
    for bit in range(CODE_BITS):
        out[:CODE_PX, bit * CODE_PX : (bit + 1) * CODE_PX] = 255 if number >> bit & 1 else 0
    return out


def number_in(image: np.ndarray) -> int:
    """The number that `numbered` wrote, read from a decoded RGB frame."""
    middle = CODE_PX // 2
    return sum(
        (image[middle, bit * CODE_PX + middle].mean() > 127) << bit for bit in range(CODE_BITS)
    )


def pictures(count: int = FRAMES, image: np.ndarray | None = None) -> list[np.ndarray]:
    base = face() if image is None else image
    return [numbered(base, number) for number in range(count)]


def tone(seconds: float) -> np.ndarray:
    """A quiet 440 Hz tone, float32 (N,)."""
    return (0.1 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * AUDIO_HZ)) / AUDIO_HZ)).astype(
        np.float32
    )


def write(
    path: Path,
    images: list[np.ndarray],
    times_ms: list[int] | None = None,
    audio: list[tuple[float, np.ndarray]] | None = None,
    form: str = "mp4",
    options: dict[str, str] | None = None,
    audio_codec: str = "aac",
) -> Path:
    """Encode H.264, each image shown at its `times_ms`, and pieces of sound, (start_s, samples)."""
    times_ms = times_ms or [round(1000 * i / FPS) for i in range(len(images))]
    with av.open(str(path), "w", format=form, options=options or {}) as file:
        video = file.add_stream("libx264", rate=FPS, options={"g": "12", "crf": "18"})
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt, video.codec_context.time_base = "yuv420p", _MS
        sound = audio is not None and file.add_stream(audio_codec, rate=AUDIO_HZ, layout="mono")
        for image, at in zip(images, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = at, _MS
            file.mux(video.encode(frame))
        file.mux(video.encode())
        for start_s, samples in audio or []:
            _mux_sound(file, sound, start_s, samples)
        if sound:
            file.mux(sound.encode())
    return path


def _mux_sound(file, stream, start_s: float, samples: np.ndarray) -> None:
    size = 1024
    for begin in range(0, len(samples) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(samples[None, begin : begin + size], "fltp", "mono")
        frame.sample_rate, frame.time_base = AUDIO_HZ, Fraction(1, AUDIO_HZ)
        frame.pts = round(start_s * AUDIO_HZ) + begin
        file.mux(stream.encode(frame))


def turn(path: Path, degrees: int) -> None:
    """Flag the first track of an MP4 as turned clockwise by 90, 180 or 270 degrees when shown."""
    one = 1 << 16
    cos, sin = {90: (0, one), 180: (-one, 0), 270: (0, -one)}[degrees]
    raw = bytearray(path.read_bytes())
    at = raw.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", raw, at, cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(raw))


def cut(source: Path, path: Path, first: int) -> Path:
    """Stream copy from frame `first` on; earlier frames of its group are kept but not shown."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = old.streams.video[0]
        packets = [p for p in old.demux(stream) if p.dts is not None]
        shown = sorted(p.pts for p in packets)[first]
        key = max(p.pts for p in packets if p.is_keyframe and p.pts <= shown)
        begin = next(i for i, p in enumerate(packets) if p.pts == key)
        copy = new.add_stream_from_template(stream)
        for packet in packets[begin:]:
            packet.pts, packet.dts = packet.pts - shown, packet.dts - shown
            packet.stream = copy
            new.mux(packet)
    return path
