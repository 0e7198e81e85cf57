"""The clip as players see it: whether it has pictures, and when their time begins."""

from pathlib import Path
from typing import Any, NamedTuple

import av

from avfusion.config.sections import TimeZero
from avfusion.errors import MediaError, NotVideoError
from avfusion.media.bounds import opened
from avfusion.media.decode import seconds
from avfusion.media.pictures import choose_track


class Media(NamedTuple):
    """A media file.

    Attributes
    ----------
    readable
        Whether the file could be opened.
    pictures
        Whether it has moving pictures.
    shift_s
        Time in a player of the first picture, or of the first sound without pictures, in seconds.
    """

    readable: bool = False
    pictures: bool = True
    shift_s: float = 0.0


def media_of(path: Path, time_zero: TimeZero = "picture") -> Media:
    """Return what a player needs to know; `readable` is false if the file is missing or damaged.

    Players count from the start of the container, predictions from the first picture unless
    `time_zero` is `container`. Both are the same in most files.
    """
    av.logging.set_level(av.logging.PANIC)
    try:
        with opened(path) as container:
            stream, pictures = _followed(path, container)
            start_s = (container.start_time or 0) / av.time_base
            shift_s = 0.0
            same = pictures and time_zero == "container"
            if (
                stream is not None
                and None not in (stream.start_time, stream.time_base)
                and not same
            ):
                shift_s = seconds(stream.start_time, stream.time_base) - start_s
            return Media(True, pictures, max(0.0, shift_s))
    except (av.FFmpegError, MediaError, OSError, ValueError):
        return Media()


def _followed(path: Path, container: av.container.InputContainer) -> tuple[Any, bool]:
    """Return the stream whose start is time 0, and whether it is one of pictures."""
    try:
        return container.streams.video[choose_track(path, container)[0]], True
    except NotVideoError:
        return next(iter(container.streams.audio), None), not container.streams.audio
    except MediaError:  # pictures without a decoder; a browser may have one
        return None, True
