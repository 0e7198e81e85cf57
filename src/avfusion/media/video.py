"""Read the frames of a video in display order with their times, upright, one at a time.

decord reads first. PyAV takes over if decord's frame count or times differ from the packets', if
the picture is rotated, or if decord fails, at the start or later.
"""

from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from avfusion.media.decode import Decoded
from avfusion.media.probe import Probe

# Matroska stores times to 1 ms; decord's are float32, precise to 1 ms for four hours.
_TOLERANCE_S = 1e-3


class Frames:
    """Iterable over (index, time_s, RGB uint8 (H, W, 3)).

    Attributes
    ----------
    reader
        The current reader, "decord" or "pyav".
    warnings
        What was odd; complete after the iteration.
    """

    def __init__(self, probe: Probe, use_decord: bool = True) -> None:
        self.probe = probe
        self.reader = "pyav"
        self.warnings: list[str] = [] if use_decord else ["read without decord"]
        # decord would convert every frame before a cut to an image; PyAV only decodes it.
        self._decord: Any = _open_decord(probe) if use_decord and probe.complete else None

    def __iter__(self) -> Iterator[tuple[int, float, np.ndarray]]:
        done = 0
        if self._decord is not None:
            self.reader = "decord"
            for index, time_s, image in self._from_decord():
                yield index, time_s, image
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
        for index, time_s in enumerate(self.probe.times_s):
            try:
                image = self._decord.next().asnumpy()
            except Exception as error:  # decord's errors have no common base
                self.warnings.append(f"decord gave up at frame {index} ({type(error).__name__})")
                return
            yield index, float(time_s), image

    def _from_pyav(self, skip: int) -> Iterator[tuple[int, float, np.ndarray]]:
        decoded, index = Decoded(self.probe.path, av.VideoFrame), 0
        for order, (container_s, frame) in enumerate(decoded, start=-self.probe.skipped):
            time_s = self._time_s(order, container_s)
            if self._beyond(order, time_s):
                break
            if time_s is None or self._before(time_s):
                continue
            if index >= skip:
                image = np.rot90(frame.to_ndarray(format="rgb24"), self.probe.rotation // 90)
                yield index, time_s, np.ascontiguousarray(image)
            index += 1
        if decoded.damaged:
            self.warnings.append(f"damaged pictures in the stream: {decoded.damaged}")

    def _time_s(self, order: int, container_s: float | None) -> float | None:
        """Return a frame's time; None without a timestamp and beyond the known packets."""
        if self.probe.timed_by_order or container_s is None:
            times_s = self.probe.times_s
            return float(times_s[order]) if 0 <= order < len(times_s) else None
        return container_s - self.probe.origin_s

    def _beyond(self, order: int, time_s: float | None) -> bool:
        if self.probe.complete:
            return False
        if time_s is None:
            return order >= len(self.probe.times_s)
        return time_s > self.probe.times_s[-1] + _TOLERANCE_S

    def _before(self, time_s: float) -> bool:
        return not self.probe.complete and time_s < self.probe.times_s[0] - _TOLERANCE_S


def _open_decord(probe: Probe) -> Any:
    """Return a decord reader if it agrees with the probe on the time of every frame, else None."""
    if probe.rotation or probe.timed_by_order or probe.promised_frames != len(probe.times_s):
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
    except Exception:  # see Frames._from_decord
        return None
    agrees = np.abs(starts_s - starts_s[0] - probe.times_s).max() <= _TOLERANCE_S
    return reader if agrees else None
