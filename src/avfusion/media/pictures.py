"""Choose the picture track of a file, and describe how its frames are shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.reformatter import ColorTrc

from avfusion.errors import MediaError, NotVideoError
from avfusion.media.cropping import UNCROPPED, Crop, crop_of
from avfusion.media.display import (
    SQUARE,
    UPRIGHT,
    Turn,
    aspect_of,
    frame_turn,
    side_data,
    square_px,
)

_NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image

# Formats that store the shape of a pixel; players prefer it to the codec's.
_WITH_ASPECT = ("mp4", "matroska", "avi", "asf", "mxf", "nut")


# FFmpeg's numbers of how two views share a picture.
_THREE_D = {1: "side by side", 2: "one above the other", 3: "in turn", 4: "as a checkerboard"}
_THREE_D |= {5: "side by side", 6: "line by line", 7: "column by column"}
_FLAT = 4  # FFmpeg's number of a projection without distortion

# MP4 sample entries whose codec is described in the container only.
_STEADY = ("avc1", "hvc1", "mp4v")


@dataclass(frozen=True)
class Pictures:
    """The picture track that is read, as its first frame shows it.

    Attributes
    ----------
    track, tracks
        Its number among the picture tracks of the file, and how many there are; covers count.
    codec, pixels
        Names of codec and pixel format, as in FFmpeg.
    stored_px
        Width and height of the first frame before turning and scaling.
    turn
        How its frames are made upright.
    crop
        What the container cuts off the stored pictures.
    aspect
        Width over height of a pixel.
    aspect_is_fixed
        Whether the container gives the aspect, so that the codec cannot change it.
    interlaced
        Whether two instants share a frame, line by line.
    steady
        Whether the container describes its codec once, so that changes inside are not expected.
    warnings
        What is odd about it.
    """

    track: int = 0
    tracks: int = 1
    codec: str = ""
    pixels: str = ""
    stored_px: tuple[int, int] = (0, 0)
    turn: Turn = UPRIGHT
    crop: Crop = UNCROPPED
    aspect: Fraction = SQUARE
    aspect_is_fixed: bool = True
    interlaced: bool = False
    steady: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether frames are shown as they are stored."""
        turned = self.turn.rotation or self.turn.mirrored
        return not turned and self.crop == UNCROPPED and self.aspect == 1

    def described(self) -> dict[str, Any]:
        """Return this track's part of a record."""
        left, top, right, bottom = self.crop
        width, height = self.stored_px
        shown_px = square_px(width - left - right, height - top - bottom, self.aspect)
        cropped = {} if self.crop == UNCROPPED else {"crop": self.crop._asdict()}
        return {
            "track": self.track,
            "tracks": self.tracks,
            "codec": self.codec,
            "pixels": self.pixels,
            "stored_px": list(self.stored_px),
            "shown_px": list(shown_px[::-1] if self.turn.rotation % 180 else shown_px),
            "rotation": self.turn.rotation,
            "mirrored": self.turn.mirrored,
            "pixel_aspect": f"{self.aspect.numerator}:{self.aspect.denominator}",
            "interlaced": self.interlaced,
            **cropped,
        }


def choose_track(path: Path, container: av.container.InputContainer) -> tuple[int, int]:
    """Return the number of the picture track to read, and how many can be read.

    Covers, thumbnails and tracks without a decoder are left out. Of the rest, FFmpeg's choice
    counts: the track marked as default, then the one with most pictures at the start of the file.

    Raises
    ------
    MediaError
        If there is no track of moving pictures, or no decoder for it.
    """
    films = [s for s in container.streams.video if not s.disposition & _NO_FILM]
    readable = [s for s in films if s.codec_context is not None]
    if not readable:
        error = MediaError if films else NotVideoError
        raise error(f"{path}: {_why_none(container, len(films))}. Use another file.")
    best = container.streams.best("video")
    chosen = next((s for s in readable if best is not None and s.index == best.index), readable[0])
    return container.streams.video.index(chosen), len(readable)


def _why_none(container: av.container.InputContainer, films: int) -> str:
    if films:
        return "no decoder for its picture track"
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "none"
    if container.streams.video:
        kinds = kinds.replace("video", "cover picture")
    sound = "; this is a sound file" if container.streams.audio else ""
    return f"no picture track (tracks found: {kinds}{sound})"


def first_picture(
    container: av.container.InputContainer, track: int, tracks: int, frame: av.VideoFrame
) -> Pictures:
    """Describe a track by its first frame."""
    video = container.streams.video[track]
    turn = frame_turn(frame)
    aspect, _ = aspect_of(video.sample_aspect_ratio)
    crop = crop_of(container, video)
    return Pictures(
        track=track,
        tracks=tracks,
        codec=video.codec_context.name,
        pixels=frame.format.name,
        stored_px=(frame.width, frame.height),
        turn=turn,
        crop=crop,
        aspect=aspect,
        aspect_is_fixed=any(name in container.format.name for name in _WITH_ASPECT),
        interlaced=bool(frame.interlaced_frame),
        steady="mp4" in container.format.name and video.codec_tag in _STEADY,
        warnings=tuple(_oddities(container, track, turn, crop, frame)),
    )


def _oddities(
    container: av.container.InputContainer,
    track: int,
    turn: Turn,
    crop: Crop,
    frame: av.VideoFrame,
) -> Iterator[str]:
    others = [
        f"track {index + 1} ({stream.width}x{stream.height})"
        for index, stream in enumerate(container.streams.video)
        if index != track and not stream.disposition & _NO_FILM
    ]
    if others:
        yield f"picture track {track + 1} is read, not {', '.join(others)}"
    width, height = frame.width - crop.left - crop.right, frame.height - crop.top - crop.bottom
    if crop != UNCROPPED:
        yield (
            f"the file asks to crop its pictures from {frame.width}x{frame.height} to "
            f"{width}x{height}; they are cropped"
        )
    aspect, senseless = aspect_of(container.streams.video[track].sample_aspect_ratio)
    if senseless:
        yield senseless
    if aspect != 1:
        wide, high = square_px(width, height, aspect)
        yield (
            f"pixels are not square ({aspect.numerator}:{aspect.denominator}): pictures are "
            f"scaled from {width}x{height} to {wide}x{high}"
        )
    yield from _turned(turn)
    yield from _views(frame)
    if frame.interlaced_frame:
        yield (
            "interlaced pictures: each holds two instants, which blurs a moving face; "
            "deinterlace them first (ffmpeg -vf bwdif)"
        )


def _turned(turn: Turn) -> Iterator[str]:
    if turn.is_odd:
        yield (
            f"the file asks to turn its pictures by {turn.off_deg:+.0f} degrees more than a "
            f"quarter turn; they are turned by {turn.rotation} degrees"
        )
    if not turn.known:
        yield (
            "the pictures carry data of an unknown kind; if the file asks to mirror them, they are "
            "not mirrored"
        )
    if turn.mirrored:
        yield "the file asks to mirror its pictures, as front cameras do; they are mirrored"


def _views(frame: av.VideoFrame) -> Iterator[str]:
    """Yield what makes a player show something else than the stored picture."""
    views = _THREE_D.get((side_data(frame, Type.STEREO3D) or b"\0")[0])
    if views:
        yield (
            f"each picture holds two views for 3-D ({views}), which shows everyone twice; keep one "
            f"of them (ffmpeg -vf stereo3d)"
        )
    if frame.color_trc == ColorTrc.SMPTE2084:
        yield (
            "HDR pictures (PQ) are read without tone mapping, which makes faces dark and flat; "
            "convert them first (ffmpeg -vf zscale=t=linear,tonemap,zscale=t=bt709)"
        )
    around = side_data(frame, Type.SPHERICAL)
    if around and around[0] != _FLAT:
        yield (
            "the pictures show all directions, which distorts faces; make flat ones first "
            "(ffmpeg -vf v360)"
        )


NO_PICTURES = Pictures()
"""What a description of times only says about the pictures."""
