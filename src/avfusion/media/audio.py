"""Stream a file's sound as mono samples on the timeline of the video."""

from collections.abc import Iterator
from functools import cached_property

import av
import numpy as np

from avfusion.media.channels import channel_names, weights
from avfusion.media.decode import Decoded
from avfusion.media.probe import Probe
from avfusion.media.sound_track import SoundTrack, choose

# Timestamps may jitter by a codec frame; a larger jump is a gap in the recording (or an overlap).
_JUMP_S = 0.04


Piece = tuple[int, np.ndarray]  # first sample on the video's timeline, mono samples float32 (n,)


class Sound:
    """Iterable over the pieces of a file's sound.

    Parameters
    ----------
    probe
        The file.
    rate_hz
        Sampling rate of the pieces.
    track
        The track to read; by default the one that `choose` chooses.

    Attributes
    ----------
    start_s, end_s
        First and last instant in seconds of the video's time, NaN without sound; valid after the
        iteration.
    warnings
        What was odd about the sound; complete after the iteration.
    """

    def __init__(self, probe: Probe, rate_hz: int, track: SoundTrack | None = None) -> None:
        self.probe = probe
        self.rate_hz = rate_hz
        self.start_s = float("nan")
        self.end_s = float("nan")
        self.warnings: list[str] = []
        if track is not None:
            self.track = track

    @cached_property
    def track(self) -> SoundTrack:
        """The sound track that is read."""
        return choose(self.probe.path, self.probe.sounds)

    def __iter__(self) -> Iterator[Piece]:
        """Yield pieces in order, without overlap; a gap in time is a gap between two pieces."""
        end: int | None = None
        gaps = 0
        for start, samples in self._inside():
            if end is None:
                self.start_s = start / self.rate_hz
            else:
                gaps += start > end
                samples = samples[max(0, end - start) :]
                start = max(start, end)
            if len(samples):
                yield start, samples
            end = start + len(samples)
            self.end_s = end / self.rate_hz
        if gaps:
            self.warnings.append(f"gaps in the sound: {gaps}")

    def _inside(self) -> Iterator[Piece]:
        """Yield the runs, limited to the cut if there is one."""
        end = round(self.probe.duration_s * self.rate_hz)
        for start, samples in self._runs():
            if self.probe.complete:
                yield start, samples
            elif start >= end:
                return
            elif start + len(samples) > 0:
                early = max(0, -start)
                yield start + early, samples[early : end - start]

    def _runs(self) -> Iterator[Piece]:
        """Yield runs of continuous timestamps, each resampled separately."""
        if self.track.index is None:
            return
        decoded = Decoded(self.probe.path, av.AudioFrame, self.track.index)
        clock = self.probe.clock(of_sound=True)
        run: _Run | None = None
        for container_s, frame in decoded:
            time_s = None if container_s is None else clock(container_s)
            if run is None or not run.continues(time_s, frame):
                if run is not None:
                    yield from run.flush()
                    time_s = run.end_s if time_s is None else time_s
                run = _Run(time_s or 0.0, self.rate_hz, frame, self.track.only)
            yield from run.push(frame)
        if run is not None:
            yield from run.flush()
        if decoded.damaged:
            self.warnings.append(f"damaged pieces in the sound: {decoded.damaged}")


class _Run:
    """Resampler of frames without a jump in time."""

    def __init__(
        self, start_s: float, rate_hz: int, frame: av.AudioFrame, only: int | None
    ) -> None:
        self._start_s = start_s
        self._form = _form(frame)
        self._rate_hz = frame.sample_rate
        self._taken = 0
        self._next = round(start_s * rate_hz)
        self._weights = weights(channel_names(frame), only)
        self._resampler = av.AudioResampler(format="fltp", rate=rate_hz)

    @property
    def end_s(self) -> float:
        """Time at which the next frame is due."""
        return self._start_s + self._taken / self._rate_hz

    def continues(self, time_s: float | None, frame: av.AudioFrame) -> bool:
        if _form(frame) != self._form:
            return False
        return time_s is None or abs(time_s - self.end_s) <= _JUMP_S

    def push(self, frame: av.AudioFrame) -> Iterator[Piece]:
        self._taken += frame.samples
        return self._placed(self._resampler.resample(frame))

    def flush(self) -> Iterator[Piece]:
        return self._placed(self._resampler.resample(None))

    def _placed(self, frames: list[av.AudioFrame]) -> Iterator[Piece]:
        for frame in frames:
            samples = self._weights @ frame.to_ndarray()
            if not np.isfinite(samples.sum()):  # floating-point sound may hold anything
                samples = np.nan_to_num(samples, posinf=0.0, neginf=0.0)
            yield self._next, samples
            self._next += len(samples)


def _form(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
