"""Measure a sound track: how loud it is, in which channels, and whether their phases are inverted.

A few pieces, spread over the file, are decoded first. What they show is believed only where it
changes nothing: before a track counts as silent, or one of its channels is left out, the complete
track is decoded. So is sound in floating point, which may exceed full scale anywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from avfusion.media.bounds import opened
from avfusion.media.channels import channel_names, weights
from avfusion.media.decode import Decoded, demuxed

SILENT = 2.0**-16
"""Digital silence: no sample is larger than half a step of 16 bits."""


PIECES, PIECE_S = 8, 2.0


_ONE_SIDED = 1e4  # 40 dB: the quieter channel is then noise or crosstalk


_INVERTED = -0.9  # correlation of the two channels


@dataclass
class Levels:
    """Statistics of decoded sound.

    Attributes
    ----------
    forms
        Names of the channels -> name of their layout, for each layout in the track.
    rate_hz
        Sampling rate in Hz.
    count
        Number of samples per channel.
    peaks, energy
        Largest samples (2,) and products (2, 2) of the channels of stereo.
    mixed
        Largest sample of the mix.
    loud
        Largest sample of any channel.
    """

    forms: dict[tuple[str, ...], str] = field(default_factory=dict)
    rate_hz: int = 0
    count: int = 0
    peaks: np.ndarray = field(default_factory=lambda: np.zeros(2))
    energy: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    mixed: float = 0.0
    loud: float = 0.0

    def add(self, frame: av.AudioFrame, samples: np.ndarray) -> None:
        """Add samples float32 (C, n)."""
        names = channel_names(frame)
        self.forms.setdefault(names, frame.layout.name)
        self.rate_hz = self.rate_hz or frame.sample_rate
        self.count += samples.shape[1]
        samples = np.nan_to_num(samples, posinf=0.0, neginf=0.0)
        peaks = np.abs(samples).max(axis=1, initial=0.0)
        self.loud = max(self.loud, float(peaks.max(initial=0.0)))
        mix = np.abs(weights(names) @ samples)
        self.mixed = max(self.mixed, float(mix.max(initial=0.0)))
        if len(names) == 2:
            wide = samples.astype(np.float64)
            self.peaks = np.maximum(self.peaks, peaks)
            self.energy += wide @ wide.T

    @property
    def silent(self) -> bool:
        """Whether the sound is digital silence."""
        return self.loud <= SILENT

    def stereo(self) -> tuple[int | None, bool]:
        """Return the only channel to read, or None for both, and whether phases are inverted."""
        if self.silent or any(len(names) != 2 for names in self.forms):
            return None, False
        left, right = self.energy.diagonal()
        louder = int(right > left)
        if self.peaks.min() <= SILENT or max(left, right) > _ONE_SIDED * min(left, right):
            return louder, False
        inverted = self.energy[0, 1] / np.sqrt(left * right) < _INVERTED
        return (louder, True) if inverted else (None, False)


def measure(path: Path, index: int) -> Levels:
    """Measure the sound track with that number, as far as it can be decoded."""
    with opened(path) as container:
        stream = container.streams.audio[index]
        floating = stream.codec_context.name.startswith("pcm_f")
        levels = Levels() if floating else _measured(_spread(container, stream))
    if not levels.silent and levels.stereo()[0] is None:
        return levels
    return _measured(frame for _, frame in Decoded(path, av.AudioFrame, index))


def _as_float(frame: av.AudioFrame) -> Iterator[np.ndarray]:
    """Yield the samples of a frame, float32 (C, n), with the channels that it has."""
    resampler = av.AudioResampler(format="fltp", rate=frame.sample_rate)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        yield part.to_ndarray()


def _measured(frames: Iterator[av.AudioFrame]) -> Levels:
    levels = Levels()
    for frame in frames:
        for samples in _as_float(frame):
            levels.add(frame, samples)
    return levels


def _spread(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame]:
    """Yield the frames of pieces that are spread over the file; some may be missing."""
    length_s = (container.duration or 0) / av.time_base
    begin_s = (container.start_time or 0) / av.time_base
    short = length_s <= PIECES * PIECE_S
    for number in range(1 if short else PIECES):
        try:
            if number:
                at_s = begin_s + number * length_s / PIECES
                container.seek(round(at_s * av.time_base))
            yield from _piece(container, stream, np.inf if short else PIECE_S)
        except av.FFmpegError:
            continue


def _piece(
    container: av.container.InputContainer, stream: av.AudioStream, length_s: float
) -> Iterator[av.AudioFrame]:
    """Yield frames of `length_s` from the present place of the container."""
    heard_s = 0.0
    for packet in demuxed(container, stream):
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            continue
        for frame in frames:
            yield frame
            heard_s += frame.samples / frame.sample_rate
        if heard_s >= length_s:
            return
