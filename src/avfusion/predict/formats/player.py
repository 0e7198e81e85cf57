"""The clip as players see it: whether it has pictures, and when their time begins."""

from pathlib import Path
from typing import NamedTuple

import av

from avfusion.media.decode import seconds


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


def media_of(path: Path) -> Media:
    """Return what a player needs to know; `readable` is false if the file is missing or damaged.

    Players count from the start of the container, predictions from the first picture. Both are the
    same in most files.
    """
    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(str(path)) as container:
            still = av.stream.Disposition.attached_pic | av.stream.Disposition.still_image
            films = [s for s in container.streams.video if not s.disposition & still]
            stream = next(iter([*films, *container.streams.audio]), None)
            if stream is None:
                return Media()
            start_s = (container.start_time or 0) / av.time_base
            shift_s = 0.0
            if stream.start_time is not None and stream.time_base is not None:
                shift_s = seconds(stream.start_time, stream.time_base) - start_s
            return Media(True, bool(films), max(0.0, shift_s))
    except (av.FFmpegError, OSError, ValueError):
        return Media()
