"""Demultiplex a source in a thread, packet by packet as it arrives, into a buffer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av

from avfusion.errors import MediaError, NotVideoError
from avfusion.media.decode import demuxed
from avfusion.media.kinds import refuse_other_formats
from avfusion.media.pictures import choose_track
from avfusion.prediction.live.buffer import Buffer
from avfusion.prediction.live.source import RECORD, Source


@contextmanager
def feeding(source: Source, buffer: Buffer, stop: threading.Event) -> Iterator[None]:
    """Fill a buffer from a source while the block runs; `stop` is set at its end."""
    thread = threading.Thread(target=_feed, args=(source, buffer, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _feed(source: Source, buffer: Buffer, stop: threading.Event) -> None:
    try:
        source.check()
        av.logging.set_level(av.logging.PANIC)
        with av.open(source, "r") as container:
            buffer.end(_demux(container, source, buffer, stop))
            stop.wait()  # the buffer writes copies of the streams, so the file stays open
    except Exception as error:
        buffer.end(_named(error, source))


def _demux(
    container: av.container.InputContainer, source: Source, buffer: Buffer, stop: threading.Event
) -> Exception | None:
    """Add packets until the end; return why it ended, if not by itself."""
    try:
        refuse_other_formats(source.path, container)
        streams = list(_streams(container, source))
        buffer.begin(streams)
        for packet in demuxed(container, *streams):
            if stop.is_set():
                break
            if packet.size:
                buffer.add(packet)
    except Exception as error:  # the main thread raises it
        return _named(error, source)
    return None


def _named(error: Exception, source: Source) -> Exception:
    if not isinstance(error, av.FFmpegError):
        return error
    return MediaError(
        f"{source.name}: cannot be read while it is written ({error.strerror}). {RECORD}."
    )


def _streams(
    container: av.container.InputContainer, source: Source
) -> Iterator[av.VideoStream | av.AudioStream]:
    """Yield the picture track and the default sound track, as far as they exist."""
    pictures = None
    try:
        pictures = container.streams.video[choose_track(source.path, container)[0]]
        yield pictures
    except NotVideoError:
        if container.streams.best("audio") is None:
            raise
    sound = container.streams.best("audio", pictures)
    if isinstance(sound, av.AudioStream) and sound.codec_context is not None:
        yield sound
