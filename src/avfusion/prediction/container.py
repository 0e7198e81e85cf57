"""What the container of a clip says: whether it has pictures, and how long it is."""

from os.path import isdir, isfile
from pathlib import Path

import av

from avfusion.errors import MediaError, NotVideoError
from avfusion.media.bounds import opened
from avfusion.media.kinds import refuse_other_formats, refuse_other_kinds
from avfusion.media.pictures import choose_track


def is_sound(path: Path) -> bool:
    """Return whether a file is a recording of sound without moving pictures.

    Raises
    ------
    MediaError
        If it is missing, or no media file.
    """
    if not isfile(path):  # `Path.is_file` raises for a name that is too long
        what = "a folder, not a file" if isdir(path) else "no such file"
        raise MediaError(f"{path}: {what}. Check the name.")
    refuse_other_kinds(path)
    try:
        with opened(path) as container:
            refuse_other_formats(path, container)
            try:
                choose_track(path, container)
            except NotVideoError:
                if container.streams.audio:
                    return True
                raise
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: cannot be opened ({error.strerror}). Copy or download it again."
        ) from None
    return False


def longer_than(path: Path, most_s: float) -> float | None:
    """Return the length of a media file in seconds if it is above `most_s`, else None.

    It is the greater one of what the header states and where the packets end, whichever is known.
    Packets are read without decoding, up to the limit.

    Raises
    ------
    MediaError
        If the file cannot be opened.
    """
    try:
        with opened(path) as container:
            stated_s = (container.duration or 0) / av.time_base
            return stated_s if stated_s > most_s else _ends_after(container, most_s)
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: cannot be opened ({error.strerror}). Copy or download it again."
        ) from None


def _ends_after(container: av.container.InputContainer, most_s: float) -> float | None:
    """Return the time of the first packet that lies more than `most_s` after its track's first."""
    first_s: dict[int, float] = {}
    streams = [*container.streams.video, *container.streams.audio]
    for packet in container.demux(streams):
        if packet.pts is None or packet.time_base is None:
            continue
        at_s = float(packet.pts * packet.time_base)
        begin_s = first_s.setdefault(packet.stream.index, at_s)
        if at_s - begin_s > most_s:
            return at_s - begin_s
    return None
