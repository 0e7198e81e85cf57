"""Decode one track with PyAV; damaged parts are skipped and counted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import av

F = TypeVar("F", av.VideoFrame, av.AudioFrame)


class Decoded(Generic[F]):
    """Iterable over (container time in s or None, frame) of a file's best track of one kind.

    Parameters
    ----------
    path
        The media file.
    kind
        `av.VideoFrame` or `av.AudioFrame`.

    Attributes
    ----------
    damaged
        Number of packets with an error and of repaired frames so far.
    """

    def __init__(self, path: Path, kind: type[F]) -> None:
        self.path = path
        self.kind: type[F] = kind
        self.damaged = 0

    def __iter__(self) -> Iterator[tuple[float | None, F]]:
        av.logging.set_level(av.logging.PANIC)
        with av.open(str(self.path)) as container:
            stream = container.streams.best("video" if self.kind is av.VideoFrame else "audio")
            assert stream is not None, self.path
            codec: Any = stream.codec_context
            codec.thread_type = "NONE"  # one core per video; shards run in parallel
            for packet in self._packets(container, stream):
                try:
                    frames = codec.decode(packet)
                except av.FFmpegError:
                    self.damaged += 1
                    continue
                for frame in frames:
                    self.damaged += frame.is_corrupt
                    yield _time_s(frame, stream), frame

    def _packets(
        self, container: av.container.InputContainer, stream: av.stream.Stream
    ) -> Iterator[av.Packet | None]:
        """Yield packets as far as the file can be read, then None, which flushes the decoder."""
        try:
            for packet in container.demux(stream):
                if packet.size:
                    yield packet
        except av.FFmpegError:
            self.damaged += 1
        yield None


def _time_s(frame: av.VideoFrame | av.AudioFrame, stream: av.stream.Stream) -> float | None:
    if frame.pts is None or stream.time_base is None:
        return None
    return float(frame.pts * stream.time_base)
