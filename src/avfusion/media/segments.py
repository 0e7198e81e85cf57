"""Follow a file's timestamps where they restart, so that joined recordings come one after another.

Takes that are written one after the other into one file (`cat a.ts b.ts`), broadcasts and
camcorders restart their timestamps. A restart is a step back, or a step forward that is too long
for a gap in a recording. The latter counts only in formats whose timestamps may restart, and only
if no sound fills the gap; FFmpeg's tools do the same from 10 s on. The pictures decide where a file
restarts; the sound follows them.
"""

from dataclasses import dataclass, field

import av
import numpy as np

_DISCONTINUOUS = 0x0200  # AVFMT_TS_DISCONT: MPEG transport and program streams, among others
_BACK_S = 0.1  # in a format whose timestamps may restart; the same as in FFmpeg
_BACK_ELSEWHERE_S = 1.0
_AHEAD_S = 60.0  # shorter steps ahead may be pauses of one recording
_HEARD_STEP_S = 0.1  # sound is noted in steps of this length
_OWN_S = 1.0  # less sound may be the end of the segment before, which is stored late
_EDGE_S = 2.0  # sound may start this long before the pictures of its segment, or end after them


@dataclass(frozen=True)
class Segment:
    """A part of a file whose timestamps do not restart.

    Attributes
    ----------
    begin_s, end_s
        Container time of the first picture and of the end of the last.
    shift_s
        Container time plus this is the time on one clock for all segments; 0 in the first.
    heard
        Whether sound of its own was noted in it.
    """

    begin_s: float
    end_s: float
    shift_s: float
    heard: bool = False


class Clock:
    """Map the container times of one track to one clock; call it with each time, in file order.

    Parameters
    ----------
    segments
        The file's segments; one or none leaves times as they are.
    of_sound
        Whether it is a track of sound, which may be absent from some segments.

    Examples
    --------
    >>> clock = Clock((Segment(1.0, 3.0, 0.0), Segment(1.0, 4.0, 2.0)))
    >>> [clock(at_s) for at_s in (1.0, 2.9, 1.0, 1.5)]
    [1.0, 2.9, 3.0, 3.5]
    """

    def __init__(self, segments: tuple[Segment, ...], of_sound: bool = False) -> None:
        self._segments, self._of_sound = segments, of_sound
        self._index = 0
        self._last_s: float | None = None

    def __call__(self, at_s: float) -> float:
        """Return `at_s` on the clock of all segments, in seconds."""
        if len(self._segments) < 2:
            return at_s
        last_s, self._last_s = self._last_s, at_s
        if last_s is not None and not -_BACK_S <= at_s - last_s <= _AHEAD_S:
            self._index = self._next(at_s)
        return at_s + self._segments[self._index].shift_s

    def _next(self, at_s: float) -> int:
        """Return the next segment that contains `at_s`; the current one if none does."""
        inside = [
            index
            for index, segment in enumerate(self._segments[self._index + 1 :], self._index + 1)
            if segment.begin_s - _EDGE_S <= at_s <= segment.end_s + _EDGE_S
        ]
        heard = [index for index in inside if self._of_sound and self._segments[index].heard]
        return (heard or inside or [self._index])[0]


@dataclass
class Restarts:
    """Find where the timestamps of the pictures restart, packet by packet in file order."""

    discontinuous: bool
    base: float  # seconds per tick of the pictures
    first_of: list[int] = field(default_factory=lambda: [0])  # number of each segment's first frame
    _ahead: list[tuple[float, float] | None] = field(default_factory=lambda: [None])
    _heard: list[set[int]] = field(default_factory=lambda: [set()])  # steps with sound
    _last: int | None = None

    def hear(self, at_s: float) -> None:
        """Note a packet of sound at `at_s`."""
        if self.discontinuous:
            self._heard[-1].add(int(at_s / _HEARD_STEP_S))

    def see(self, packet: av.Packet, frames: int) -> None:
        """Note a packet of pictures that comes after `frames` frames."""
        at = packet.pts if packet.dts is None else packet.dts
        last, self._last = self._last, at
        if at is None or last is None or not frames:
            return
        step_s = (at - last) * self.base
        ahead = self.discontinuous and step_s > _AHEAD_S
        if ahead or self._is_back(step_s, packet):
            self.first_of.append(frames)
            self._ahead.append((last * self.base, at * self.base) if ahead else None)
            self._heard.append(set())

    def leave_out(self, frames: int) -> None:
        """Take note that so many frames of the first segment are left out."""
        self.first_of[1:] = [first - frames for first in self.first_of[1:]]

    def _is_back(self, step_s: float, packet: av.Packet) -> bool:
        if self.discontinuous:
            return step_s < -_BACK_S
        # Elsewhere, decode times that are out of order are more likely than a joined file.
        return step_s < -_BACK_ELSEWHERE_S and packet.is_keyframe

    def confirmed(self) -> list[tuple[int, set[int]]]:
        """Return the first frame of each segment and the steps with sound in it.

        A step ahead with sound in it is a gap of one segment.
        """
        parts = [(0, self._heard[0])]
        for index in range(1, len(self.first_of)):
            step = self._ahead[index]
            if step is not None and self._sound_within(index, *step):
                parts[-1] = parts[-1][0], parts[-1][1] | self._heard[index]
            else:
                parts.append((self.first_of[index], self._heard[index]))
        return parts

    def _sound_within(self, index: int, begin_s: float, end_s: float) -> bool:
        heard = self._heard[index - 1] | self._heard[index]
        return any(begin_s + _EDGE_S < _HEARD_STEP_S * step < end_s - _EDGE_S for step in heard)


def may_restart(container: av.container.InputContainer) -> bool:
    """Return whether timestamps may restart in this format, as FFmpeg knows it."""
    return bool(container.format.flags & _DISCONTINUOUS)


def join(
    pts: np.ndarray, lengths: np.ndarray, restarts: list[tuple[int, set[int]]], base: float
) -> tuple[np.ndarray, tuple[Segment, ...], int]:
    """Put segments one after another.

    Parameters
    ----------
    pts
        Timestamps in ticks, int64 (F,), in file order.
    lengths
        Durations of the same frames in ticks, int64 (F,); 0 if unknown.
    restarts
        Number of the first frame of each segment, and the steps with sound in it.
    base
        Seconds per tick.

    Returns
    -------
    ticks : numpy.ndarray
        Ascending ticks on one clock, int64 (F,).
    segments : tuple of Segment
        The segments in file order.
    length : int
        Ticks that the last frame is shown; 0 if unknown.
    """
    parts: list[np.ndarray] = []
    segments: list[Segment] = []
    shift = length = 0
    ends = [*(first for first, _ in restarts[1:]), len(pts)]
    for (first, steps), last in zip(restarts, ends, strict=True):
        order = np.argsort(pts[first:last], kind="stable")
        part = pts[first:last][order]
        if parts:
            shift = int(parts[-1][-1]) + length - int(part[0])
        gaps = np.diff(part)
        step = int(np.median(gaps)) if len(gaps) else 0
        length = int(lengths[first:last][order[-1]]) or step
        if last < len(pts) and step:
            length = min(length, 2 * step)  # some formats give the time until the restart
        end_s = (int(part[-1]) + length) * base
        heard = len(steps) > _OWN_S / _HEARD_STEP_S
        segments.append(Segment(int(part[0]) * base, end_s, shift * base, heard))
        parts.append(part + shift)
    return np.concatenate(parts), tuple(segments), length
