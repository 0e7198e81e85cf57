"""Write the clip again with its predictions drawn below the picture (H.264 and AAC in MP4).

Frames and sound are read, drawn and written one after the other, so that memory does not depend on
the length of the clip.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from avfusion.io.atomic import replacing
from avfusion.media.audio import Sound
from avfusion.media.probe import Probe, probe
from avfusion.media.sound_only import probe_sound
from avfusion.media.video import Frames
from avfusion.prediction.formats.panel import Panel
from avfusion.prediction.formats.player import media_of
from avfusion.prediction.prediction import Prediction

_BASE = Fraction(1, 90_000)  # resolution of times of frames, as in MPEG
_SOUND_HZ, _BLOCK = 48_000, 1024
_LEAST_PX, _MOST_PX = 640, 1920  # width that the text needs; longest side of the picture
_STILL_HZ = 10  # frames per second of a clip without pictures
_SLACK_S = 1e-6
_FAST = {"movflags": "+faststart"}  # the index first, so that players start at once


def write_video(prediction: Prediction, path: Path, embed: bool) -> None:
    """Write the predicted part of the clip. A clip without pictures becomes traces with sound.

    Frames are upright and keep their times. Pictures wider or higher than 1920 px are made smaller,
    and those narrower than 640 px larger.

    Raises
    ------
    MediaError
        If the clip cannot be read.
    """
    del embed
    clip = Path(prediction.clip["path"])
    moving = media_of(clip).pictures
    file = probe(clip, prediction.time_zero) if moving else probe_sound(clip)
    span_s = float(prediction.clip["start_s"]), float(prediction.clip["end_s"])
    images = _images(prediction, file, span_s)
    first = next(images, None)
    with replacing(path) as half, av.open(str(half), "w", format="mp4", options=_FAST) as target:
        if first is not None:
            _mux(target, first, images, Sound(file, _SOUND_HZ), span_s, _rate(file))


def _mux(
    target: Any,
    first: tuple[float, np.ndarray],
    images: Iterator[tuple[float, np.ndarray]],
    sound: Sound,
    span_s: tuple[float, float],
    rate: Fraction,
) -> None:
    """Encode images and sound in the order of their times."""
    picture = target.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
    picture.height, picture.width = first[1].shape[:2]
    picture.pix_fmt, picture.codec_context.time_base = "yuv420p", _BASE
    voice = None
    if sound.track.index is not None:
        voice = target.add_stream("aac", rate=_SOUND_HZ, layout="mono")
        voice.bit_rate = 128_000
    blocks = _blocks(sound, span_s) if voice is not None else iter(())
    block = next(blocks, None)
    last = -1
    for time_s, image in _chain(first, images):
        while block is not None and block[0] <= time_s * _SOUND_HZ:
            _encode_sound(target, voice, block)
            block = next(blocks, None)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        last = max(last + 1, round(time_s / _BASE))
        frame.pts, frame.time_base = last, _BASE
        target.mux(picture.encode(frame))
    while block is not None:
        _encode_sound(target, voice, block)
        block = next(blocks, None)
    target.mux(picture.encode(None))
    if voice is not None:
        target.mux(voice.encode(None))


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _images(
    prediction: Prediction, file: Probe, span_s: tuple[float, float]
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield time after the start of the part and image, RGB uint8 (H, W, 3) with even sides."""
    panel: Panel | None = None
    for time_s, picture in _pictures(file, span_s):
        if picture is None:
            panel = panel or Panel(prediction, 2 * _LEAST_PX)
            yield time_s - span_s[0], panel.at(time_s)
            continue
        if panel is None:
            width, height = _size(picture)
            panel = Panel(prediction, width)
        scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        yield time_s - span_s[0], np.concatenate([scaled, panel.at(time_s)])


def _pictures(
    file: Probe, span_s: tuple[float, float]
) -> Iterator[tuple[float, np.ndarray | None]]:
    """Yield times and frames of the part; None for the picture of a clip without pictures."""
    start_s, end_s = span_s[0] - _SLACK_S, span_s[1] - _SLACK_S
    if not len(file.times_s):
        for number in range(max(1, int((end_s - start_s) * _STILL_HZ))):
            yield span_s[0] + number / _STILL_HZ, None
        return
    for _, time_s, image in Frames(file, wanted=lambda _, at_s: start_s <= at_s < end_s):
        if time_s >= end_s:
            return
        if image is not None:
            yield time_s, image


def _size(picture: np.ndarray) -> tuple[int, int]:
    """Return even width and height of the picture in the video."""
    height, width = picture.shape[:2]
    factor = min(max(1.0, _LEAST_PX / width), _MOST_PX / max(width, height))
    return 2 * round(factor * width / 2), 2 * round(factor * height / 2)


def _rate(file: Probe) -> Fraction:
    """Return the mean number of frames per second, which encoders use to share out bits."""
    if len(file.times_s) < 2:
        return Fraction(_STILL_HZ)
    step_s = (file.times_s[-1] - file.times_s[0]) / (len(file.times_s) - 1)
    return Fraction(1 / max(step_s, 1e-3)).limit_denominator(1001)


def _blocks(sound: Sound, span_s: tuple[float, float]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first sample, samples) of the part without a gap; gaps in the sound are silent."""
    begin, end = (round(at_s * _SOUND_HZ) for at_s in span_s)
    done, rest = 0, np.empty(0, np.float32)
    for samples in _filled(sound, begin, end):
        rest = np.concatenate([rest, samples])
        while len(rest) >= _BLOCK:
            yield done, rest[:_BLOCK]
            done, rest = done + _BLOCK, rest[_BLOCK:]
    if len(rest):
        yield done, rest


def _filled(sound: Sound, begin: int, end: int) -> Iterator[np.ndarray]:
    """Yield the samples from `begin` to `end`, with silence where there is no sound."""
    at = begin
    for start, samples in sound:
        if start >= end:
            return
        while at < start:
            yield np.zeros(min(_BLOCK, start - at), np.float32)
            at += min(_BLOCK, start - at)
        part = samples[max(0, at - start) : end - start]
        if len(part):
            yield np.clip(part, -1, 1).astype(np.float32)
            at += len(part)


def _encode_sound(target: Any, voice: Any, block: tuple[int, np.ndarray]) -> None:
    start, samples = block
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "fltp", "mono")
    frame.sample_rate, frame.time_base, frame.pts = _SOUND_HZ, Fraction(1, _SOUND_HZ), start
    target.mux(voice.encode(frame))
