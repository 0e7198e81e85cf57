"""Show a decoded frame as a player does: turned, mirrored and with square pixels."""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.reformatter import VideoReformatter

from avfusion.media.cropping import UNCROPPED, Crop

SQUARE = Fraction(1)
_LIMIT = 4  # the widest pixels in use are 128:45 (half the lines of wide PAL)
_ROUNDING = 0.005  # encoders round the shape of a picture: 1081:1080 means square
_OFF_DEG = 1.0  # FFmpeg's tolerance


class Turn(NamedTuple):
    """How to make a decoded frame upright: turn it, then mirror it left to right."""

    rotation: int = 0  # degrees counter-clockwise: 0, 90, 180 or 270
    mirrored: bool = False
    off_deg: float = 0.0  # what remains of an angle that is no quarter turn
    known: bool = True  # false if only the angle is known, and not whether it is mirrored

    @property
    def is_odd(self) -> bool:
        """Whether the angle is no quarter turn."""
        return abs(self.off_deg) > _OFF_DEG


UPRIGHT = Turn()


def turn_of(matrix: np.ndarray) -> Turn:
    """Return the turn of a display matrix (3, 3), as FFmpeg stores it.

    Row vectors are multiplied from the left: x' = x m[0, 0] + y m[1, 0], with y downwards.

    Examples
    --------
    >>> turn_of(np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]))  # clockwise
    Turn(rotation=270, mirrored=False, off_deg=0.0, known=True)
    >>> turn_of(np.array([[-1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    Turn(rotation=0, mirrored=True, off_deg=0.0, known=True)
    """
    (a, b), (c, d) = np.asarray(matrix, np.float64)[:2, :2]
    mirrored = bool(a * d - b * c < 0)
    if mirrored:  # undo the mirroring, which comes last, so that a turn remains
        a, c = -a, -c
    clockwise_deg = math.degrees(math.atan2(b - c, a + d))
    quarters = round(clockwise_deg / 90)
    return Turn(-quarters * 90 % 360, mirrored, clockwise_deg - 90 * quarters)


def side_data(frame: av.VideoFrame, kind: Type) -> bytes | None:
    """Return data that a frame carries: b"" without such, None if PyAV does not know what it has.

    An example of the latter is the EXIF of a JPEG.
    """
    # `frame.side_data` would make a cycle of references: frames would stay until a late collection.
    try:
        every: Any = SideDataContainer(frame)  # type: ignore[call-arg]
    except ValueError:
        return None
    try:
        return bytes(every[kind])
    except (KeyError, ValueError):
        return b""


def frame_turn(frame: av.VideoFrame) -> Turn:
    """Return the turn of a frame from its display matrix, which the container or codec gives."""
    data = side_data(frame, Type.DISPLAYMATRIX)
    if data is None:
        quarters = round(frame.rotation / 90)
        off_deg = float(90 * quarters - frame.rotation)
        return Turn(90 * quarters % 360, off_deg=off_deg, known=False)
    return turn_of(np.frombuffer(data, np.int32, 9).reshape(3, 3)) if data else UPRIGHT


def aspect_of(value: Fraction | None) -> tuple[Fraction, str]:
    """Return width over height of a pixel, and a warning if the file's value makes no sense."""
    if value is None or value == 0:
        return SQUARE, ""
    if not Fraction(1, _LIMIT) <= value <= _LIMIT:
        shape = f"{value.numerator}:{value.denominator}"
        return SQUARE, f"the file's pixel aspect {shape} makes no sense; square pixels are assumed"
    return (SQUARE if abs(value - 1) <= _ROUNDING else value), ""


def square_px(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return width and height in square pixels; the shorter side of a pixel is enlarged.

    Examples
    --------
    >>> square_px(720, 576, Fraction(64, 45)), square_px(720, 480, Fraction(8, 9))
    ((1024, 576), (720, 540))
    """
    if aspect >= 1:
        return int(width * aspect), height
    return width, int(height / aspect)


def upright(
    frame: av.VideoFrame,
    turn: Turn,
    aspect: Fraction,
    converter: VideoReformatter,
    crop: Crop = UNCROPPED,
) -> np.ndarray:
    """Return a frame as it is shown, RGB uint8 (H, W, 3): cropped, then scaled, then turned.

    converter: one for all frames of a video; `frame.to_ndarray` would prepare one for each.
    """
    if crop != UNCROPPED:
        stored: Any = converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        bottom, right = max(0, frame.height - crop.bottom), max(0, frame.width - crop.right)
        part = stored[crop.top : bottom, crop.left : right]
        # Pictures may become smaller than what is cut off; they are then left as they are.
        part = part if part.size else stored
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(part), format="rgb24")
    width, height = square_px(frame.width, frame.height, aspect)
    scaling = None if (width, height) == (frame.width, frame.height) else "BICUBIC"
    rgb = converter.reformat(frame, width, height, format="rgb24", interpolation=scaling, threads=1)
    image = np.rot90(rgb.to_ndarray(), turn.rotation // 90)
    return np.ascontiguousarray(image[:, ::-1] if turn.mirrored else image)
