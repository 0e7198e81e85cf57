"""Decode one track with PyAV; damaged parts are skipped and counted."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import av

from avfusion.errors import MediaError
from avfusion.media.bounds import limit_pixels, opened

_REORDERED = 32  # no codec holds back more frames


F = TypeVar("F", av.VideoFrame, av.AudioFrame)


class Decoded(Generic[F]):
    """Iterable over (container time in s or None, frame) of a file's track of one kind.

    Parameters
    ----------
    path
        The media file.
    kind
        `av.VideoFrame` or `av.AudioFrame`.
    track
        Number of the track among those of its kind; by default the container's best.
    aspects
        Whether `aspect` is needed.

    Attributes
    ----------
    damaged
        Number of packets with an error and of repaired frames so far.
    lost
        Number of packets so far whose frame could not be decoded.
    aspect
        Width over height of a pixel in the current frame as its codec says; None if it does not.
    """

    def __init__(
        self, path: Path, kind: type[F], track: int | None = None, aspects: bool = False
    ) -> None:
        self.path, self._with_aspects = path, aspects
        self.track = track
        self.kind: type[F] = kind
        self.damaged = self.lost = 0
        self.aspect: Fraction | None = None
        self._aspects: dict[int | None, Fraction | None] = {}  # of packets whose frame is to come

    def __iter__(self) -> Iterator[tuple[float | None, F]]:
        av.logging.set_level(av.logging.PANIC)
        with opened(self.path) as container:
            name: Literal["video", "audio"] = "video" if self.kind is av.VideoFrame else "audio"
            stream: Any = container.streams.best(name)
            if self.track is not None:
                stream = container.streams.get({name: self.track})[0]
            assert stream is not None, self.path
            codec: Any = stream.codec_context
            if self.kind is av.VideoFrame:
                limit_pixels(codec)
            codec.thread_type = "NONE"  # one core per video; shards run in parallel
            for packet in self._packets(container, stream):
                try:
                    frames = codec.decode(packet)
                except av.FFmpegError:
                    self.damaged += 1
                    self.lost += packet is not None
                    continue
                if packet is not None and self._with_aspects:
                    self._aspects[packet.pts] = codec.sample_aspect_ratio
                for frame in frames:
                    if self._with_aspects:
                        self._forget_aspects(frame.pts)
                    self.damaged += frame.is_corrupt
                    yield _time_s(frame, stream), frame

    def _forget_aspects(self, pts: int | None) -> None:
        """Set the aspect of the frame at `pts`; a codec knows that of the packet read last only."""
        self.aspect = self._aspects.pop(pts, self.aspect)
        for old in list(self._aspects)[:-_REORDERED]:
            del self._aspects[old]

    def _packets(
        self, container: av.container.InputContainer, stream: av.stream.Stream
    ) -> Iterator[av.Packet | None]:
        """Yield packets as far as the file can be read, then None, which flushes the decoder."""
        try:
            for packet in demuxed(container, stream):
                if packet.size:
                    yield packet
        except av.FFmpegError:
            self.damaged += 1
        yield None


def demuxed(
    container: av.container.InputContainer, *streams: av.stream.Stream
) -> Iterator[av.Packet]:
    """Yield the packets of some streams, by default of all that the header announces.

    Raises
    ------
    MediaError
        If a packet is encrypted; decoders would make noise of it.
    """
    with suppress(IndexError):  # PyAV's at the end, if another stream began inside the file
        for packet in container.demux(*streams):
            if packet.has_sidedata("encryption_info"):
                raise MediaError(
                    f"{container.name.removeprefix('file:')}: its {packet.stream.type} is "
                    f"encrypted. Ask its owner for a copy without protection, and use that."
                )
            yield packet


def _time_s(frame: av.VideoFrame | av.AudioFrame, stream: av.stream.Stream) -> float | None:
    if frame.pts is None or stream.time_base is None:
        return None
    return seconds(frame.pts, stream.time_base)


def seconds(ticks: int, base: Fraction) -> float:
    """Return ticks * base, the same float as of the fraction, in a tenth of its time."""
    return ticks * base.numerator / base.denominator
