"""A file's sound as mono samples on the video's timeline, streamed."""

from collections.abc import Iterator

import av
import numpy as np

from avfusion.media.decode import Decoded
from avfusion.media.probe import Probe

# Timestamps may jitter by a codec frame; a larger jump is a gap in the recording (or an overlap).
_JUMP_S = 0.04


Piece = tuple[int, np.ndarray]  # first sample on the video's timeline, mono samples float32 (n,)


class Sound:
    """Iterates over a file's sound in pieces; `start_s` and `warnings` tell how it went."""

    def __init__(self, probe: Probe, rate_hz: int) -> None:
        self.probe = probe
        self.rate_hz = rate_hz
        self.start_s = float("nan")  # of the first sample, on the video's timeline
        self.end_s = float("nan")  # of the last one, once all is read
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Piece]:
        """Pieces in order, without overlap; a gap in time is a gap between two pieces."""
        end, gaps = None, 0
        for start, samples in self._within():
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
        if self.probe.audio and end is None:
            self.warnings.append("the sound track holds no sound that can be decoded")

    def _within(self) -> Iterator[Piece]:
        """The runs, or what of them lies in a cut."""
        end = round(self.probe.duration_s * self.rate_hz)
        for start, samples in self._runs():
            if self.probe.whole:
                yield start, samples
            elif start >= end:
                return
            elif start + len(samples) > 0:
                early = max(0, -start)
                yield start + early, samples[early : end - start]

    def _runs(self) -> Iterator[Piece]:
        """Runs of unbroken timestamps, each resampled by itself."""
        if not self.probe.audio:
            return
        decoded, run = Decoded(self.probe.path, "audio"), None
        for time_s, frame in decoded:
            if run is None or not run.continues(time_s, frame):
                if run is not None:
                    yield from run.flush()
                run = _Run((time_s or 0.0) - self.probe.origin_s, self.probe, self.rate_hz, frame)
            yield from run.push(frame)
        if run is not None:
            yield from run.flush()
        if decoded.damaged:
            self.warnings.append(f"damaged pieces in the sound: {decoded.damaged}")


class _Run:
    """Resamples frames that follow one another without a jump."""

    def __init__(self, start_s: float, probe: Probe, rate_hz: int, frame: av.AudioFrame) -> None:
        self._start_s, self._origin_s = start_s, probe.origin_s
        self._form = _form(frame)
        self._taken = 0
        self._next = round(start_s * rate_hz)
        self._resampler = av.AudioResampler(format="fltp", rate=rate_hz)

    def continues(self, time_s: float | None, frame: av.AudioFrame) -> bool:
        if _form(frame) != self._form:
            return False
        due_s = self._start_s + self._taken / frame.sample_rate
        return time_s is None or abs(time_s - self._origin_s - due_s) <= _JUMP_S

    def push(self, frame: av.AudioFrame) -> Iterator[Piece]:
        self._taken += frame.samples
        return self._placed(self._resampler.resample(frame))

    def flush(self) -> Iterator[Piece]:
        return self._placed(self._resampler.resample(None))

    def _placed(self, frames: list[av.AudioFrame]) -> Iterator[Piece]:
        for frame in frames:
            # The mean of the channels: a mono recording stored as stereo keeps its loudness.
            samples = frame.to_ndarray().mean(axis=0, dtype=np.float32)
            yield self._next, samples
            self._next += len(samples)


def _form(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
