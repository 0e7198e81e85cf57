"""Videos whose frames and tones encode the rating of their instant.

Valence is drawn as black and white squares (thousandths above -1, in binary); arousal is one of 25
tones. Both are read back from the results of the media stage.
"""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from support import odd_videos

BITS, SQUARE_PX, AUDIO_HZ = 11, 10, 16000
TONES = 25
_MS = Fraction(1, 1000)


def tone_value(level: np.ndarray | int) -> np.ndarray:
    """Return the arousal of a tone, with three decimals as in annotation files."""
    return np.round(-0.96 + 0.08 * np.asarray(level), 3)


def tone_band(level: np.ndarray | int) -> np.ndarray:
    """Return the index of the mel band, of 64, that the tone is in the middle of."""
    return 14 + 2 * np.asarray(level)


def tone_hz(level: np.ndarray | int) -> np.ndarray:
    """Return the middle of that band in Hz; HTK mel from 0 to 8000 Hz."""
    top = 2595 * np.log10(1 + 8000 / 700)
    return 700 * (10 ** ((tone_band(level) + 1) / 65 * top / 2595) - 1)


def sound(levels: np.ndarray, times_s: np.ndarray, end_s: float, first_s: float) -> np.ndarray:
    """Return tones, float32, from `first_s` to `end_s`; each starts with its frame, in phase."""
    at_s = np.arange(round(first_s * AUDIO_HZ), round(end_s * AUDIO_HZ)) / AUDIO_HZ
    frame = np.searchsorted(times_s, at_s + 1e-9, side="right").clip(1) - 1
    phase = 2 * np.pi * np.cumsum(tone_hz(levels[frame])) / AUDIO_HZ
    return (0.3 * np.sin(phase)).astype(np.float32)


def coded(image: np.ndarray, valence: float, left_px: int = 0) -> np.ndarray:
    """Write the value into the top rows of a picture, in place, and return the picture."""
    number = round(1000 * (valence + 1))
    for bit in range(BITS):
        area = slice(left_px + bit * SQUARE_PX, left_px + (bit + 1) * SQUARE_PX)
        image[:SQUARE_PX, area] = 255 if number >> bit & 1 else 0
    return image


def decoded(image: np.ndarray, left_px: int = 0) -> float:
    """Return the value that `coded` wrote."""
    middle = SQUARE_PX // 2
    spots = [image[3:7, left_px + b * SQUARE_PX + middle - 2 :][:, :4].mean() for b in range(BITS)]
    return round(sum((spot > 127) << bit for bit, spot in enumerate(spots)) / 1000 - 1, 3)


def picture(persons: int) -> np.ndarray:
    """Return one or two painted faces, RGB uint8 (240, 320 per person, 3)."""
    return odd_videos.face() if persons == 1 else odd_videos.two_faces(1.0, 1.0)


def crop(valence: float) -> np.ndarray:
    """Return an aligned face as the organisers crop it, RGB uint8 (112, 112, 3)."""
    face = cv2.resize(odd_videos.face()[20:220, 60:260], (112, 112), interpolation=cv2.INTER_AREA)
    return coded(face, valence)


def write(
    path: Path,
    images: list[np.ndarray],
    times_ms: list[int],
    tones: tuple[float, np.ndarray] | None,
    fps: int,
) -> None:
    """Write MP4 (H.264, FLAC) or AVI (MPEG-4, PCM); `tones` is (start in s, samples)."""
    avi = path.suffix == ".avi"
    with av.open(str(path), "w", format="avi" if avi else "mp4") as file:
        codec, options = ("mpeg4", {"qscale": "2"}) if avi else ("libx264", {"crf": "16"})
        video = file.add_stream(codec, rate=fps, options=options | {"preset": "ultrafast"})
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, fps) if avi else _MS
        if avi:
            video.bit_rate = 4_000_000
        kind = "pcm_s16le" if avi else "flac"
        stream = tones and file.add_stream(kind, rate=AUDIO_HZ, layout="mono")
        for number, (image, at) in enumerate(zip(images, times_ms, strict=True)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number if avi else at
            frame.time_base = video.codec_context.time_base
            file.mux(video.encode(frame))
        file.mux(video.encode())
        if tones:
            _sound(file, stream, *tones)


def _sound(file, stream, start_s: float, samples: np.ndarray) -> None:
    pcm = (samples * 32767).astype(np.int16)
    for begin in range(0, len(pcm), 1024):
        frame = av.AudioFrame.from_ndarray(pcm[None, begin : begin + 1024], "s16", "mono")
        frame.sample_rate, frame.time_base = AUDIO_HZ, Fraction(1, AUDIO_HZ)
        frame.pts = round(start_s * AUDIO_HZ) + begin
        file.mux(stream.encode(frame))
    file.mux(stream.encode())


def without_sound(path: Path, keep_s: float = 0.0) -> None:
    """Remove the sound of a file, except for its first `keep_s` seconds."""
    old_path = path.with_name(f"old{path.suffix}")
    path.rename(old_path)
    with av.open(str(old_path)) as old, av.open(str(path), "w") as new:
        streams = [s for s in old.streams if keep_s or s.type == "video"]
        copies = {s.index: new.add_stream_from_template(s) for s in streams}
        for packet in old.demux(streams):
            late = packet.stream.type == "audio" and (packet.pts or 0) * packet.time_base > keep_s
            if packet.dts is not None and not late:
                packet.stream = copies[packet.stream_index]
                new.mux(packet)
    old_path.unlink()
