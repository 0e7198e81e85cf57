"""Follow how frames are shown where that changes inside a file, and note each kind of change."""

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from avfusion.media.display import Turn, aspect_of, frame_turn, upright
from avfusion.media.pictures import Pictures


class Look:
    """How the current frame is shown, and what has changed since the first.

    Parameters
    ----------
    pictures
        The track, as its first frame shows it.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._converter = VideoReformatter()
        self._aspect = pictures.aspect
        self._turn = pictures.turn
        self._last: dict[str, str] = {}
        self._changes: dict[str, tuple[float, str, str]] = {}  # first change of each kind
        self._counts: dict[str, int] = {}

    def see(self, time_s: float, frame: av.VideoFrame, codec_aspect: Fraction | None) -> None:
        """Take note of a frame at `time_s` whose codec says `codec_aspect`."""
        self._turn = frame_turn(frame)
        if not self._pictures.aspect_is_fixed:
            self._aspect, _ = aspect_of(codec_aspect)
        current = {
            "picture size": f"{frame.width}x{frame.height}",
            "pixel format": frame.format.name,
            "turn": _turn_text(self._turn),
            "pixel aspect": f"{self._aspect.numerator}:{self._aspect.denominator}",
            "scan": "interlaced" if frame.interlaced_frame else "progressive",
        }
        for kind, text in current.items():
            before = self._last.get(kind, text)
            if before != text:
                self._changes.setdefault(kind, (time_s, before, text))
                self._counts[kind] = self._counts.get(kind, 0) + 1
        self._last = current

    def image(self, frame: av.VideoFrame) -> np.ndarray:
        """Return the frame that was seen last as it is shown, RGB uint8 (H, W, 3)."""
        return upright(frame, self._turn, self._aspect, self._converter, self._pictures.crop)

    def warnings(self) -> list[str]:
        """Return a sentence per kind of change."""
        sentences = []
        for kind, (time_s, before, after) in self._changes.items():
            more = self._counts[kind] - 1
            often = f", and {more} more times" if more else ""
            sentences.append(f"the {kind} changes at {time_s:.2f} s ({before} to {after}){often}")
        return sentences


def _turn_text(turn: Turn) -> str:
    return f"{turn.rotation} degrees{', mirrored' if turn.mirrored else ''}"
