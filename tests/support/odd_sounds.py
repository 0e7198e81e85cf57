"""Builds small videos whose sound is odd in one known way each, with PyAV, for the media tests."""

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from support import odd_videos

SIZE = 1152  # samples per frame of MPEG layer 2; other codecs take any


def write(
    path: Path,
    tracks: list[np.ndarray],
    rate_hz: int,
    codec: str = "pcm_s16le",
    layout: str = "",
    flags: dict[int, int] | None = None,
    start_s: float = 0.0,
    frames: int = 38,
) -> Path:
    """Encode the painting with sound tracks, each mono (N,) or of several channels (C, N).

    flags: disposition of a track instead of the container's choice.
    """
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=odd_videos.FPS, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        streams = []
        for number, sound in enumerate(tracks):
            named = layout or ("mono" if sound.ndim == 1 else "stereo")
            streams.append(file.add_stream(codec, rate=rate_hz, layout=named))
            if flags and number in flags:
                streams[-1].disposition = flags[number]
        for number, image in enumerate(odd_videos.pictures(frames)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = Fraction(1, odd_videos.FPS)
            frame.pts = number + round(start_s * odd_videos.FPS)
            file.mux(video.encode(frame))
        file.mux(video.encode())
        for stream, sound in zip(streams, tracks, strict=True):
            mux(file, stream, np.atleast_2d(sound), rate_hz, start_s)
    return path


def mux(file, stream, sound: np.ndarray, rate_hz: int, start_s: float) -> None:
    """Encode a sound (C, N) from `start_s` on, and end the stream."""
    resampler = av.AudioResampler(stream.format.name, stream.layout, rate_hz, SIZE)
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(sound, "f4"), "fltp", stream.layout.name
    )
    frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
    frame.pts = round(start_s * rate_hz)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        file.mux(stream.encode(part))
    file.mux(stream.encode())


def foreign_codec(path: Path, tracks: tuple[int, ...]) -> Path:
    """Rename the sample entry of some AAC tracks of a MOV to a codec that no decoder knows."""
    raw = bytearray(path.read_bytes())
    # A sample entry follows the head of its table: "stsd", version, number of entries, size.
    at = [match.start() + 16 for match in re.finditer(rb"stsd.{12}mp4a", bytes(raw), re.DOTALL)]
    for track in tracks:
        raw[at[track] : at[track] + 4] = b"apac"
        described = raw.index(b"esds", at[track])  # which would say AAC all the same
        raw[described : described + 4] = b"free"
    path.write_bytes(bytes(raw))
    return path


def rate_change(path: Path, rates: tuple[int, int]) -> Path:
    """Join a second of 440 Hz at one sampling rate and a second of 880 Hz at another, in a TS."""
    parts = []
    for number, rate_hz in enumerate(rates):
        part = path.with_name(f"{number}.ts")
        wave = 0.2 * np.sin(2 * np.pi * 440 * (number + 1) * np.arange(rate_hz) / rate_hz)
        write(part, [wave], rate_hz, "mp2", start_s=float(number), frames=25)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path
