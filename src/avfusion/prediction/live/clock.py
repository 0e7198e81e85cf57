"""Times of sound packets by counting samples, as the media stage places the sound of a file.

Containers round: Matroska to 1 ms. A span that begins inside a recording would then have its sound
up to that much earlier or later than in the complete file.
"""

from fractions import Fraction
from typing import Any, NamedTuple

import av

JUMP_S = 0.04
"""A larger step from the counted time is a gap, as in `avfusion.media.audio`."""


class Placed(NamedTuple):
    """Start of a packet and its length, in samples, and a second in samples."""

    start: int
    length: int
    rate_hz: int


class SoundClock:
    """Count the samples of one track; call it with each packet, in order."""

    def __init__(self) -> None:
        self._next: Fraction | None = None  # time of the next sample in seconds

    def __call__(self, packet: av.Packet) -> Placed | None:
        """Return where a packet lies; None if nothing of it can be decoded."""
        try:
            frames: list[Any] = packet.decode()
        except av.FFmpegError:
            return None
        if not frames:
            return None
        rate_hz, length = int(frames[0].sample_rate), sum(frame.samples for frame in frames)
        first = frames[0]
        at = None if first.pts is None else Fraction(first.pts) * first.time_base
        counted, begins = self._next, self._next is None
        if counted is None or (at is not None and abs(at - counted) > JUMP_S):
            counted = Fraction(0) if at is None else at
        self._next = counted + Fraction(length, rate_hz)
        if begins:  # with the samples that a decoder drops at the start of a file
            length = max(length, getattr(packet.stream.codec_context, "frame_size", 0) or 0)
            counted = self._next - Fraction(length, rate_hz)
        return Placed(round(counted * rate_hz), length, rate_hz)
