"""Decoding one track with PyAV, past damage: what can be read is read, what cannot is counted."""

from collections.abc import Iterator
from pathlib import Path

import av


class Decoded:
    """Iterates over (container time in s or None, frame) of a file's best track of one kind."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.kind = kind  # "video" or "audio"
        self.damaged = 0  # packets that gave an error and frames that were patched up

    def __iter__(self) -> Iterator[tuple[float | None, av.VideoFrame | av.AudioFrame]]:
        av.logging.set_level(av.logging.PANIC)
        with av.open(str(self.path)) as container:
            stream = container.streams.best(self.kind)
            stream.thread_type = "NONE"  # one core a video; the videos of a corpus run side by side
            for packet in self._packets(container, stream):
                try:
                    frames = stream.codec_context.decode(packet)
                except av.FFmpegError:
                    self.damaged += 1
                    continue
                for frame in frames:
                    self.damaged += frame.is_corrupt
                    yield _time_s(frame, stream), frame

    def _packets(
        self, container: av.container.InputContainer, stream: av.stream.Stream
    ) -> Iterator[av.Packet | None]:
        """Packets to the end, or to where the file cannot be followed further; None flushes."""
        try:
            for packet in container.demux(stream):
                if packet.size:
                    yield packet
        except av.FFmpegError:
            self.damaged += 1
        yield None


def _time_s(frame: av.VideoFrame | av.AudioFrame, stream: av.stream.Stream) -> float | None:
    return None if frame.pts is None else float(frame.pts * stream.time_base)
