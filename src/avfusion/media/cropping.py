"""Read the rectangle of a picture track that players show, where its container crops it.

Matroska (`PixelCropTop` and others) and QuickTime (`clap`, the clean aperture) store it. PyAV does
not hand it out. FFmpeg's Matroska writer states in a header what FFmpeg has read of either.
"""

import io
from collections.abc import Iterator
from typing import NamedTuple

import av

_FORMATS = ("matroska", "mp4")
_PATH = (0x18538067, 0x1654AE6B, 0xAE, 0xE0)  # Segment, Tracks, TrackEntry, Video
_SIDES = (0x54CC, 0x54BB, 0x54DD, 0x54AA)


class Crop(NamedTuple):
    """Pixels that are cut off at each side of the stored picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


UNCROPPED = Crop()


def crop_of(container: av.container.InputContainer, video: av.VideoStream) -> Crop:
    """Return what the container crops of a track's pictures.

    FFmpeg refuses a file that crops everything.
    """
    if not any(name in container.format.name for name in _FORMATS):
        return UNCROPPED
    header = io.BytesIO()
    try:
        with av.open(header, "w", format="matroska") as copy:
            copy.add_stream_from_template(video)
            copy.start_encoding()
    except (av.FFmpegError, ValueError):  # a codec that Matroska cannot hold
        return UNCROPPED
    content = header.getvalue()
    for number in _PATH:
        content = dict(_elements(content)).get(number, b"")
    sides = dict(_elements(content))
    return Crop(*(int.from_bytes(sides.get(number, b""), "big") for number in _SIDES))


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the elements of an EBML element."""
    at = 0
    while at < len(content):
        number, at = _number(content, at, keep=True)
        size, at = _number(content, at)
        yield number, content[at : at + size]
        at += size


def _number(content: bytes, at: int, keep: bool = False) -> tuple[int, int]:
    """Return a number whose first bits state its length, and where it ends.

    keep: whether these bits are part of it, as they are of an element's number.
    """
    length = 9 - content[at].bit_length()
    number = int.from_bytes(content[at : at + length], "big")
    return number if keep else number & ~(1 << 7 * length), at + length
