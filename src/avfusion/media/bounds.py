"""Open media files from anywhere: no network, and bounds on what a small file may claim."""

from functools import cache
from pathlib import Path
from typing import Any

import av

from avfusion.errors import MediaError

LONGEST_S = 48 * 3600.0
"""Longest recording that is read."""

LEAST_BYTES_PER_S = 10
"""A recording has more: a black picture per second without sound has about 20."""

SHORT_S = 60.0
"""A recording of this length is read however small its file is."""

MOST_PIXELS = 1 << 26
"""Most pixels of a picture: twice those of 8K (7680 x 4320)."""

MOST_REPEATS = 4
"""How often the packets of a file may hold its bytes: an edit list can repeat them."""

LISTS = frozenset(
    {
        *("avisynth", "concat", "dash", "hls", "imf", "lavfi", "mlv", "rtp", "rtsp", "sap", "sdp"),
        *("vapoursynth", "vobsub", "webm_dash_manifest"),
    }
)
"""FFmpeg's formats that name other files or addresses, or take a part of them from other files."""


def opened(path: Path) -> "av.container.InputContainer":
    """Open a file, and nothing that it names: no other file and no address.

    Raises
    ------
    av.FFmpegError
        If it is no media file.
    MediaError
        If it is a list of other files.
    """
    # Formats are refused before FFmpeg reads their header, because that opens what they list.
    # The pattern is that of pictures: a file named `%d.jpg` would be every `1.jpg`, `2.jpg`.
    only = {"protocol_whitelist": "file", "format_whitelist": _allowed(), "pattern_type": "none"}
    try:
        # Without `file:`, a name such as `concat:a|b` would be an address of FFmpeg's.
        return av.open(f"file:{path}", options=only, metadata_errors="replace")
    except av.ArgumentError:  # also of damaged files; the log is off, so it does not say which
        raise MediaError(
            f"{path}: cannot be opened. It is a list of other files, which are not read, or it is "
            f"damaged. Name the video itself, or copy or download it again."
        ) from None


@cache
def _allowed() -> str:
    names = {name for names in av.formats_available for name in names.split(",")}
    return ",".join(sorted(names - LISTS))


def limit_pixels(codec: Any) -> None:
    """Let a decoder that is not open yet refuse pictures of more than `MOST_PIXELS`."""
    if not codec.is_open:
        codec.options = {**codec.options, "max_pixels": str(MOST_PIXELS)}


def refuse_pixels(path: Path, width: int, height: int) -> None:
    """Raise MediaError if a header announces too large pictures."""
    if width * height > MOST_PIXELS:
        raise MediaError(
            f"{path}: pictures of {width} x {height} pixels; at most {MOST_PIXELS:,} pixels are "
            f"read. Scale the video first (ffmpeg -vf scale=1920:-2)."
        )


def refuse_long(path: Path, duration_s: float) -> None:
    """Raise MediaError if a file claims a length that it cannot hold."""
    size = path.stat().st_size
    most_s = min(LONGEST_S, max(SHORT_S, size / LEAST_BYTES_PER_S))
    if not 0 <= duration_s <= most_s:
        raise MediaError(
            f"{path}: claims to last {duration_s:,.0f} s with {size:,} bytes; at most "
            f"{most_s:,.0f} s are read. Its times are damaged; convert it again, or copy it again."
        )


def refuse_repeats(path: Path, read: int) -> None:
    """Raise MediaError if more bytes of packets were read than the file can hold."""
    size = path.stat().st_size
    if read > MOST_REPEATS * size + (1 << 20):
        raise MediaError(
            f"{path}: its packets have more than {MOST_REPEATS} times the {size:,} bytes of the "
            f"file, so its edit list repeats them. Convert it again."
        )
