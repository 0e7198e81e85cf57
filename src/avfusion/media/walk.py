"""Walk through the packets of a file once: when its frames are shown, and where times restart."""

import math
from array import array
from itertools import compress
from typing import Any

import av
import numpy as np

from avfusion.media.bounds import limit_pixels
from avfusion.media.decode import demuxed, seconds
from avfusion.media.segments import Restarts, may_restart


class Walk:
    """One pass over a file's packets; a damaged tail ends it.

    Attributes
    ----------
    ticks, lengths
        Timestamps and durations of displayed frames in ticks, in file order.
    hidden
        Number of frames that an edit list hides, or that need pictures before the file begins.
    lead
        Number of the latter.
    ends_s, first_s
        Last and first container time of any picture or sound.
    size
        Bytes of all packets.
    restarts
        Where the timestamps restart.
    first
        The first frame that can be decoded; None if there is none.
    """

    def __init__(self, container: av.container.InputContainer, video: av.VideoStream) -> None:
        self.base = float(video.time_base or 1)
        # AVI has no presentation times. Those of its frames come in order, with B-frames in one
        # packet with the frame before them or not.
        self.by_order = container.format.name == "avi"
        self.ticks, self.lengths = array("q"), array("q")
        self.hidden, self.lead, self.untimed, self.size = 0, 0, 0, 0
        self.ends_s, self.first_s = -math.inf, math.inf
        self.restarts = Restarts(may_restart(container), self.base)
        self.first: av.VideoFrame | None = None
        self._inside, self._errors = False, 0  # whether the first packet needs others before it
        video.codec_context.thread_type = "NONE"
        limit_pixels(video.codec_context)
        try:
            for packet in demuxed(container):
                if packet.size:
                    self.size += packet.size
                    self._take(packet, video)
                    if self.first is None and packet.stream_index == video.index:
                        self._decode(video, packet)
        except av.FFmpegError:
            pass  # frames before the damage count, and the reader reports how many it read
        if self.first is None:
            self._decode(video, None)  # flushes the decoder
        if not self.ticks and self.untimed:
            self._count(video)
        self._leave_out_lead()

    def _decode(self, video: av.VideoStream, packet: av.Packet | None) -> None:
        try:
            self.first = next(iter(video.codec_context.decode(packet)), None)
        except av.FFmpegError:
            self._errors += 1

    def _leave_out_lead(self) -> None:
        """Leave out frames before the first that can be decoded, unless damage is the reason.

        A recording of a broadcast, or a copy that is cut at any packet, begins with pictures that
        refer to earlier ones. No player shows them. If the file begins with a key frame, these are
        the ones that are stored after it and shown before it.
        """
        first, pts = self.first, None if self.first is None else self.first.pts
        if first is None or pts is None or self._errors:
            return
        if self.by_order and not (self._inside and first.key_frame):
            return  # MPEG-4 in AVI shows something for each frame
        if not self._inside and pts != self.ticks[0]:
            return
        ends = [*self.restarts.first_of[1:], len(self.ticks)]
        kept = [at >= pts or number >= ends[0] for number, at in enumerate(self.ticks)]
        self.lead = len(kept) - sum(kept)
        if self.lead:
            self.hidden += self.lead
            self.ticks = array("q", compress(self.ticks, kept))
            self.lengths = array("q", compress(self.lengths, kept))
            self.restarts.leave_out(self.lead)

    def _take(self, packet: av.Packet, video: av.VideoStream) -> None:
        at = packet.dts if packet.pts is None else packet.pts
        shown = packet.stream_index == video.index
        if at is None:
            self.untimed += shown
            return
        if shown or packet.stream.type == "audio":
            base = packet.time_base
            at_s = seconds(at, base)
            self.first_s = min(self.first_s, at_s)
            self.ends_s = max(self.ends_s, at_s + seconds(packet.duration or 0, base))
        if not shown:
            if packet.stream.type == "audio":
                self.restarts.hear(at_s)
            return
        self.restarts.see(packet, len(self.ticks))
        if not self.ticks and not self.hidden:
            self._inside = not packet.is_keyframe
        if packet.is_discard:
            self.hidden += 1
            return
        self.ticks.append(at)
        self.lengths.append(packet.duration or 0)

    def _count(self, video: av.VideoStream) -> None:
        """Time the frames of a file without timestamps (a bare stream) by their rate."""
        step = round(1 / (float(video.average_rate or 25) * self.base)) or 1
        self.by_order, self.first_s = True, 0.0
        self.ticks = array("q", range(0, self.untimed * step, step))
        self.lengths = array("q", [step]) * self.untimed
        self.ends_s = self.untimed * step * self.base

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ticks and lengths, int64 (F,) each, in file order."""
        return np.frombuffer(self.ticks, np.int64), np.frombuffer(self.lengths, np.int64)

    def start_s(self, container: av.container.InputContainer) -> float:
        """Return the start of the container in container time."""
        ticks: Any = container.start_time  # None where the container does not know it
        return self.first_s if ticks is None else float(ticks / av.time_base)
