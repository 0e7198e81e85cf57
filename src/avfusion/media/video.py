"""Read the frames of a video in display order with their times, upright, one at a time.

PyAV reads by default. decord reads small pictures where every frame is read and a check has shown
that it gives the same frames: common codecs, nothing odd, no edit list that hides frames, pictures
that are shown as they are stored, the frame count and the times of the packets, a first frame that
equals PyAV's bit by bit, and nothing that changes or is damaged inside the file. decord would not
tell the latter, so PyAV decodes the file once without converting its pictures, which costs little
next to the search for faces. PyAV takes over if decord fails.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np

from avfusion.media.decode import Decoded
from avfusion.media.look import Look
from avfusion.media.probe import Probe

# Matroska stores times to 1 ms; decord's are float32, precise to 1 ms for four hours.
_TOLERANCE_S = 1e-3

# decord converts every frame, which takes longer than PyAV's conversion for larger pictures.
_DECORD_PX = 320 * 240

# What cameras write. decord holds an FFmpeg of 2020, so nothing else from strangers reaches it.
_DECORD_READS = {("h264", "yuv420p"), ("mpeg4", "yuv420p")}


def every_frame(index: int, time_s: float) -> bool:
    """Return True: every frame is wanted."""
    return True


class Frames:
    """Iterable over (index, time_s, RGB uint8 (H, W, 3), or None for a frame that is not read).

    Parameters
    ----------
    probe
        The file.
    use_decord
        Whether decord may read it.
    wanted
        Asked with index and time before a frame is converted to RGB; if it returns False, the frame
        is only decoded.

    Attributes
    ----------
    reader
        The current reader, "decord" or "pyav".
    warnings
        What was odd; complete after the iteration.
    """

    def __init__(
        self,
        probe: Probe,
        use_decord: bool = True,
        wanted: Callable[[int, float], bool] = every_frame,
    ) -> None:
        self.probe = probe
        self.wanted = wanted
        self.reader = "pyav"
        self.warnings: list[str] = [] if use_decord else ["read without decord"]
        # decord converts every frame; PyAV does not convert those before a cut or not wanted.
        fits = use_decord and probe.complete and wanted is every_frame
        self._decord = _open_decord(probe) if fits else None

    def __iter__(self) -> Iterator[tuple[int, float, np.ndarray | None]]:
        done = 0
        if self._decord is not None:
            self.reader = "decord"
            for index, time_s, picture in self._from_decord():
                yield index, time_s, picture
                done = index + 1
            if done == len(self.probe.times_s):
                return
            self.reader = "pyav"
        for index, time_s, image in self._from_pyav(skip=done):
            yield index, time_s, image
            done = index + 1
        if done < self.probe.promised_frames:
            self.warnings.append(f"{done} of {self.probe.promised_frames} frames could be read")

    def _from_decord(self) -> Iterator[tuple[int, float, np.ndarray]]:
        """Read sequentially, without seeking; one frame is in memory."""
        assert self._decord is not None
        for index, time_s in enumerate(self.probe.times_s):
            try:
                image = self._decord.next()
            except Exception as error:  # decord's errors have no common base
                self.warnings.append(f"decord gave up at frame {index} ({type(error).__name__})")
                return
            yield index, float(time_s), image

    def _from_pyav(self, skip: int) -> Iterator[tuple[int, float, np.ndarray | None]]:
        probe, index = self.probe, 0
        aspects = not probe.pictures.aspect_is_fixed
        decoded = Decoded(probe.path, av.VideoFrame, probe.pictures.track, aspects)
        look, clock = Look(probe.pictures), probe.clock()
        for number, (container_s, frame) in enumerate(decoded):
            order = number + decoded.lost - probe.skipped
            time_s = self._time_s(order, None if container_s is None else clock(container_s))
            if self._beyond(order, time_s):
                break
            if time_s is None or self._before(time_s):
                continue
            look.see(time_s, frame, decoded.aspect)
            if index >= skip:
                yield index, time_s, look.image(frame) if self.wanted(index, time_s) else None
            index += 1
        self.warnings += look.warnings()
        if decoded.damaged:
            self.warnings.append(f"damaged pictures in the stream: {decoded.damaged}")

    def _time_s(self, order: int, time_s: float | None) -> float | None:
        """Return a frame's time; None without a timestamp and beyond the known packets.

        A known time is returned as the packets give it, so that all readers agree to the bit.
        """
        times_s = self.probe.times_s
        if self.probe.timed_by_order or time_s is None:
            return float(times_s[order]) if 0 <= order < len(times_s) else None
        after = int(np.searchsorted(times_s, time_s))
        near = min(times_s[max(0, after - 1) : after + 1], key=lambda at_s: abs(at_s - time_s))
        return float(near) if abs(near - time_s) <= _TOLERANCE_S / 2 else time_s

    def _beyond(self, order: int, time_s: float | None) -> bool:
        if self.probe.complete:
            return False
        if time_s is None:
            return order >= len(self.probe.times_s)
        return time_s > self.probe.times_s[-1] + _TOLERANCE_S

    def _before(self, time_s: float) -> bool:
        return not self.probe.complete and time_s < self.probe.times_s[0] - _TOLERANCE_S


class _Decord:
    """decord's reader, whose first frame is already read."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.first: np.ndarray | None = reader.next().asnumpy()

    def next(self) -> np.ndarray:
        first, self.first = self.first, None
        return self._reader.next().asnumpy() if first is None else first


def _open_decord(probe: Probe) -> _Decord | None:
    """Return a decord reader if it is shown to agree with PyAV, else None."""
    pictures = probe.pictures
    if not pictures.plain or not pictures.steady or pictures.tracks > 1:
        return None
    if (pictures.codec, pictures.pixels) not in _DECORD_READS or probe.warnings or probe.hidden:
        return None
    if math.prod(pictures.stored_px) > _DECORD_PX:
        return None
    if len(probe.segments) > 1 or probe.promised_frames != len(probe.times_s):
        return None
    try:
        import decord
    except ImportError:
        return None
    decord.logging.set_level(decord.logging.QUIET)
    try:
        reader = decord.VideoReader(str(probe.path), ctx=decord.cpu(0), num_threads=1)
        if len(reader) != len(probe.times_s):
            return None
        starts_s = np.asarray(reader.get_frame_timestamp(range(len(reader))), np.float64)[:, 0]
        opened = _Decord(reader)
    except Exception:  # see Frames._from_decord
        return None
    steps_s = (starts_s - starts_s[0]) - (probe.times_s - probe.times_s[0])
    agrees = np.abs(steps_s).max() <= _TOLERANCE_S and _agrees(probe, opened)
    return opened if agrees else None


def _agrees(probe: Probe, opened: _Decord) -> bool:
    """Compare the first frame of both readers, and let PyAV decode the others.

    Pictures may change inside a file of any kind: joining copies of streams keeps the parameters
    that each brings along. decord shows all in the size of the first, and counts no damage.
    """
    decoded, look = Decoded(probe.path, av.VideoFrame, probe.pictures.track), Look(probe.pictures)
    count, first = 0, opened.first
    assert first is not None
    for count, (_, frame) in enumerate(decoded, start=1):
        if count == 1 and not np.array_equal(frame.to_ndarray(format="rgb24"), first):
            return False
        look.see(0.0, frame, None)
        if decoded.damaged or look.warnings():
            return False
    return count == len(probe.times_s) and not decoded.damaged
