"""Width of the video that audio-guided attention reads; no torch is imported."""

from typing import Any

PLACES = 49  # 7 x 7


def fault(video_dim: int) -> str | None:
    """Return why a video width is not that of un-pooled 7 x 7 maps; None if it can be.

    >>> fault(25_088), fault(256)[-10:]
    (None, ' found 256')
    """
    if video_dim % PLACES == 0:
        return None
    return (
        f"Audio-guided attention needs un-pooled 7x7 maps: a video width of 49 x channels, such "
        f"as 25088; found {video_dim}"
    )


def guided(options: dict[str, Any], video_dim: int) -> str | None:
    """Return why a fusion with the option `guided` cannot read this video width, or None."""
    return None if options.get("guided", "none") == "none" else fault(video_dim)
