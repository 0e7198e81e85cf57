"""Times of sound packets by counting samples, as the media stage places the sound of a file.

Containers round: Matroska to 1 ms. A span that begins inside a recording would then have its sound
up to that much earlier or later than in the complete file.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import av

JUMP_S = 0.04
"""A larger step from the counted time is a gap, as in `avfusion.media.audio`."""

_ROUNDED_S = 2e-3  # a duration that is longer by less is rounded


class Placed(NamedTuple):
    """A packet's bytes, its start and length in samples, and the samples of a second."""

    data: bytes
    start: int
    length: int
    rate_hz: int


class SoundClock:
    """Count the samples of one track; call it with each packet, in order."""

    def __init__(self) -> None:
        self._next: Fraction | None = None  # time of the next sample in seconds
        self._dropped = b""  # the packet whose samples the decoder drops at the start of a file

    def __call__(self, packet: av.Packet) -> Iterator[Placed]:
        """Yield where a packet lies, after one that was dropped before; none if it is damaged."""
        data = bytes(packet)
        try:
            frames: list[Any] = packet.decode()
        except av.FFmpegError:
            return
        if not frames:
            self._dropped = data if self._next is None else b""
            return
        first, rate_hz = frames[0], int(frames[0].sample_rate)
        length = sum(frame.samples for frame in frames)
        at = None if first.pts is None else Fraction(first.pts) * first.time_base
        start_s, begins = self._next, self._next is None
        if start_s is None or (at is not None and abs(at - start_s) > JUMP_S):
            start_s = at or Fraction(0)
        self._next = start_s + Fraction(length, rate_hz)
        if begins:  # a decoder drops samples at the start of a file, but not inside of it
            length = _complete(packet, length, rate_hz)
            start_s = self._next - Fraction(length, rate_hz)
        start = round(start_s * rate_hz)
        if self._dropped:
            yield Placed(self._dropped, start - length, length, rate_hz)
            self._dropped = b""
        yield Placed(data, start, length, rate_hz)


def _complete(packet: av.Packet, length: int, rate_hz: int) -> int:
    """Return the number of samples of the first packet; the decoder returned `length` of them."""
    size = getattr(packet.stream.codec_context, "frame_size", 0) or 0
    stated = round((packet.duration or 0) * packet.time_base * rate_hz)
    dropped = stated - length > _ROUNDED_S * rate_hz
    return max(length, size, stated if dropped else 0)
