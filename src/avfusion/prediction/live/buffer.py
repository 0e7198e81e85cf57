"""The newest packets of a recording, from which any recent span can be written to a file.

The file is NUT, which keeps timestamps, and pictures and sound are copied as they are.
"""

import heapq
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av

from avfusion.errors import MediaError
from avfusion.media.decode import seconds
from avfusion.prediction.live.clock import SoundClock

KEYFRAME_S = 30.0
"""Most seconds from one keyframe to the next: a span is decoded from the keyframe before it."""

UNEQUAL_S = 2.0
"""Most seconds that sound may arrive after its pictures, or they after it."""

_BEFORE_S = 0.5  # sound before the first keyframe of a span, with which decoders get ready
_AFTER_S = 0.5  # packets after a span, which say that it is complete
_SLACK_S = 1e-6


class _Packet(NamedTuple):
    """A packet; times in seconds of the container."""

    order_s: float
    shown_s: float
    pts: int
    dts: int | None
    duration: int
    base: Fraction
    key: bool
    data: bytes
    sound: bool


class Buffer:
    """Packets that one thread adds and another one writes; hold `changed` for several steps.

    Times are in seconds from the first picture, or from the first sound of a recording without
    pictures.

    Parameters
    ----------
    name
        Name of the recording, for messages.
    keep_s
        Seconds that are kept, before the keyframe that they need.

    Attributes
    ----------
    changed
        Notified when packets arrive and at the end.
    ended
        Whether no packet follows.
    problem
        Why it ended, if not by itself.
    """

    def __init__(self, name: str, keep_s: float) -> None:
        self.name, self.keep_s = name, keep_s
        self.changed = threading.Condition(threading.RLock())
        self.ended = False
        self.problem: Exception | None = None
        self._clock = SoundClock()
        self._streams: list[Any] = []  # pictures, then sound
        self._seen = False
        self._zero_s: float | None = None
        self._pictures: deque[_Packet] = deque()
        self._sounds: deque[_Packet] = deque()
        self._keys: deque[_Packet] = deque()  # keyframes that are kept
        self._since_s: float | None = None  # first picture since the last keyframe
        self._complete_s: dict[bool, float] = {}  # is sound -> until when all has arrived
        self._newest_s = self._end_s = 0.0

    def begin(self, streams: Iterable[av.stream.Stream]) -> None:
        """Take the streams that are kept: pictures and sound, or one of them."""
        with self.changed:
            self._streams = list(streams)
            self._seen = any(stream.type == "video" for stream in self._streams)

    def end(self, problem: Exception | None = None) -> None:
        """Note that no packet follows."""
        with self.changed:
            self.ended, self.problem = True, problem
            self.changed.notify_all()

    def add(self, given: av.Packet) -> None:
        """Keep a packet of the streams, and forget what is too old.

        Raises
        ------
        MediaError
            If there is no timestamp, it steps back, or no keyframe comes for too long.
        """
        if given.stream.type != "audio":
            self._take(self._seen_in(given))
            return
        for packet in self._heard_in(given):
            self._take(packet)

    def _take(self, packet: _Packet) -> None:
        with self.changed:
            if not packet.sound:
                self._watch(packet)
            elif self._zero_s is None and self._sounds:
                self._refuse_blind(packet.shown_s - self._sounds[0].shown_s)
            if self._zero_s is None and packet.key and packet.sound != self._seen:
                self._zero_s = packet.shown_s
            if self._zero_s is None and not packet.sound:
                return  # pictures before the first keyframe cannot be decoded
            (self._sounds if packet.sound else self._pictures).append(packet)
            if packet.key and not packet.sound:
                self._keys.append(packet)
            if self._zero_s is not None:
                self._note(packet)
                self._forget()
            self.changed.notify_all()

    @property
    def complete_s(self) -> float:
        """Until when all pictures and sound have arrived; after the end, the end."""
        if self.ended:
            return self._end_s
        if not self._complete_s:
            return 0.0
        times_s = [self._complete_s.get(stream.type == "audio", 0.0) for stream in self._streams]
        return max(min(times_s), max(times_s) - UNEQUAL_S)

    @property
    def newest_s(self) -> float:
        """Time of the newest picture or, without pictures, sound."""
        return self._newest_s

    @property
    def held_s(self) -> float:
        """Length of what is kept, in seconds."""
        kept = self._pictures or self._sounds
        return self._newest_s - self._of(kept[0].shown_s) if kept else 0.0

    def write(self, path: Path, start_s: float, end_s: float) -> float:
        """Write what the span [start_s, end_s) needs, and return when the file begins.

        Raises
        ------
        MediaError
            If the start of the span is not kept any more.
        """
        with self.changed:
            first = self._first(start_s)
            until_s = (self._zero_s or 0.0) + end_s + _AFTER_S
            early_s = _BEFORE_S if self._seen else 0.0
            shown = [p for p in self._pictures if p.order_s >= first.order_s]
            parts = [
                [p for p in shown if first.shown_s <= p.shown_s and p.order_s <= until_s],
                [p for p in self._sounds if first.shown_s - early_s <= p.shown_s <= until_s],
            ]
            begins_s = first.shown_s - (self._zero_s or 0.0)
        self._write(path, heapq.merge(*parts, key=lambda packet: packet.order_s))
        return begins_s

    def _first(self, start_s: float) -> _Packet:
        """Return the packet from which a span is decoded."""
        kept = self._keys if self._seen else self._sounds
        at_s = max(0.0, start_s - (0.0 if self._seen else _BEFORE_S)) + _SLACK_S
        before = [packet for packet in kept if self._of(packet.shown_s) <= at_s]
        if not before:
            raise MediaError(f"{self.name}: {start_s:.2f} s is not kept any more.")
        return before[-1]

    def _write(self, path: Path, packets: Iterator[_Packet]) -> None:
        with av.open(str(path), "w", format="nut") as file:
            copies: dict[bool, Any] = {
                stream.type == "audio": file.add_stream_from_template(stream, opaque=True)
                for stream in self._streams
            }
            for kept in packets:
                packet = av.Packet(kept.data)
                packet.pts, packet.dts, packet.duration = kept.pts, kept.dts, kept.duration
                packet.time_base, packet.is_keyframe = kept.base, kept.key
                packet.stream = copies[kept.sound]
                file.mux(packet)

    def _seen_in(self, packet: av.Packet) -> _Packet:
        if packet.pts is None:
            raise MediaError(
                f"{self.name}: its pictures have no timestamps, so it cannot be followed. Record "
                f"in Matroska (.mkv) or MPEG-TS (.ts)."
            )
        base = packet.time_base
        order_s = seconds(packet.pts if packet.dts is None else packet.dts, base)
        shown_s, duration = seconds(packet.pts, base), packet.duration or 0
        data, key = bytes(packet), packet.is_keyframe
        return _Packet(order_s, shown_s, packet.pts, packet.dts, duration, base, key, data, False)

    def _heard_in(self, packet: av.Packet) -> Iterator[_Packet]:
        for placed in self._clock(packet):
            at, base = placed.start, Fraction(1, placed.rate_hz)
            at_s = seconds(at, base)
            yield _Packet(at_s, at_s, at, at, placed.length, base, True, placed.data, True)

    def _refuse_blind(self, waited_s: float) -> None:
        if waited_s > KEYFRAME_S:
            raise MediaError(
                f"{self.name}: no picture to begin with in {waited_s:.0f} s of sound. Check the "
                f"camera, or record with a keyframe per second, such as `ffmpeg -g 25`."
            )

    def _watch(self, packet: _Packet) -> None:
        """Refuse pictures without a keyframe for too long."""
        if packet.key or self._since_s is None:
            self._since_s = packet.shown_s
        waited_s = packet.shown_s - self._since_s
        if waited_s > KEYFRAME_S:
            raise MediaError(
                f"{self.name}: no keyframe for {waited_s:.0f} s; a span is decoded from one. "
                f"Record with a keyframe per second, such as `ffmpeg -g 25`."
            )

    def _note(self, packet: _Packet) -> None:
        """Note until when everything has arrived."""
        complete_s = self._of(packet.order_s)
        last_s = self._complete_s.get(packet.sound, 0.0)
        if complete_s < last_s - UNEQUAL_S:
            raise MediaError(
                f"{self.name}: its timestamps step back from {last_s:.2f} s to {complete_s:.2f} s. "
                f"Run the command again for what follows."
            )
        ends_s = self._of(packet.shown_s) + packet.duration * float(packet.base)
        self._complete_s[packet.sound] = max(last_s, ends_s if packet.sound else complete_s)
        if packet.sound != self._seen:
            self._newest_s = max(self._newest_s, self._of(packet.shown_s))
            self._end_s = max(self._end_s, ends_s)

    def _forget(self) -> None:
        """Drop what no span needs that begins within the newest `keep_s`."""
        before_s = self._newest_s - self.keep_s
        while len(self._keys) > 1 and self._of(self._keys[1].shown_s) <= before_s:
            self._keys.popleft()
        while self._keys and self._pictures[0] is not self._keys[0]:
            self._pictures.popleft()
        if self._keys:
            before_s = min(before_s, self._of(self._keys[0].shown_s))
        while self._sounds and self._of(self._sounds[0].shown_s) < before_s - 2 * _BEFORE_S:
            self._sounds.popleft()

    def _of(self, container_s: float) -> float:
        return container_s - (self._zero_s or 0.0)
