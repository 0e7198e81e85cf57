"""Read what a video file contains and when each frame is shown; readers are checked against it.

Times are the presentation timestamps of the container's packets, without decoding and without the
packets that an edit list hides. Time 0 is the first displayed frame, or the start of the container
(`media.time_zero`). Timestamps that restart are put one after another (`segments.py`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from os.path import isfile
from pathlib import Path
from typing import Any

import av
import numpy as np

from avfusion.config.sections import TimeZero
from avfusion.errors import MediaError
from avfusion.media.bounds import opened, refuse_long, refuse_pixels, refuse_repeats
from avfusion.media.kinds import refuse_other_formats, refuse_other_kinds
from avfusion.media.pictures import NO_PICTURES, Pictures, choose_track, first_picture
from avfusion.media.segments import Clock, Segment, join, may_restart
from avfusion.media.sound_track import SoundStream, sound_streams
from avfusion.media.walk import Walk

_EARLY_END_S = 0.5
_LATE_START_S = 0.1
_SLACK_S = 1e-6


@dataclass(frozen=True)
class Probe:
    """One file, or a span of it, as described by its container.

    Attributes
    ----------
    path
        The file.
    times_s
        Times of the displayed frames in seconds, float64 (F,), ascending.
    duration_s
        End of the last displayed frame in seconds.
    origin_s
        Container time of time 0 in seconds.
    timed_by_order
        Whether the container stores no presentation times (AVI): frame i is shown at times_s[i].
    promised_frames
        Number of frames in the container's header; more than F if the file was cut off.
    warnings
        What is odd about the file.
    skipped
        Number of the file's frames before the span.
    complete
        Whether it is the complete file and not a span of it.
    pictures
        The picture track and how its frames are shown.
    time_zero
        What time 0 is: the first picture, or the start of the container.
    starts_s
        Time of the first picture after the start of the container in seconds.
    segments
        Parts of the file between restarts of its timestamps; empty for another file's sound.
    sounds
        Its sound tracks; None if they are not known yet.
    hidden
        Number of frames that an edit list hides, or that need pictures before the file begins.
    """

    path: Path
    times_s: np.ndarray
    duration_s: float
    origin_s: float
    timed_by_order: bool
    promised_frames: int
    warnings: tuple[str, ...]
    skipped: int = 0
    complete: bool = True
    pictures: Pictures = NO_PICTURES
    time_zero: TimeZero = "picture"
    starts_s: float = 0.0
    segments: tuple[Segment, ...] = ()
    sounds: tuple[SoundStream, ...] | None = None
    hidden: int = 0

    def clock(self, of_sound: bool = False) -> Callable[[float], float]:
        """Return a function from container time to this file's time, both in seconds.

        It follows the frames of one track in file order, so each track needs one of its own.
        """
        steady = Clock(self.segments, of_sound)
        return lambda container_s: steady(container_s) - self.origin_s

    def described(self) -> dict[str, Any]:
        """Return what a record says about the pictures."""
        return {
            **self.pictures.described(),
            "time_zero": self.time_zero,
            "starts_s": round(self.starts_s, 6),
            "joined": max(0, len(self.segments) - 1),
        }


def cut(file: Probe, cut_s: tuple[float, float] | None) -> Probe:
    """Limit a file to the span [start, end), whose start becomes time 0.

    Raises
    ------
    MediaError
        If the span has no picture.

    Examples
    --------
    >>> from pathlib import Path
    >>> file = Probe(Path("x"), np.arange(5) / 10, 0.5, 0.0, False, 5, ())
    >>> part = cut(file, (0.15, 0.4))
    >>> part.skipped, part.times_s.round(3).tolist(), round(part.duration_s, 3), part.origin_s
    (2, [0.05, 0.15], 0.25, 0.15)
    """
    if cut_s is None:
        return file
    start_s, end_s = cut_s
    first, last = np.searchsorted(file.times_s, np.array(cut_s) - _SLACK_S)
    if first >= last:
        raise MediaError(
            f"{file.path}: no picture within {start_s:.3f} … {end_s:.3f} s; the file has "
            f"{len(file.times_s)} in {file.duration_s:.3f} s. Copy it again, or correct the times."
        )
    early_s = end_s - file.duration_s
    early = _EARLY_END_S < early_s < math.inf  # a span without an end goes on to that of the file
    warnings = (f"the pictures end {early_s:.2f} s before the cut",) if early else ()
    return replace(
        file,
        times_s=np.maximum(file.times_s[first:last] - start_s, 0.0),
        duration_s=min(end_s, file.duration_s) - start_s,
        origin_s=file.origin_s + start_s,
        promised_frames=int(last - first),
        warnings=(*file.pictures.warnings, *warnings),
        skipped=int(first),
        complete=False,
    )


def probe(path: Path, time_zero: TimeZero = "picture") -> Probe:
    """Read the packets of `path`.

    Parameters
    ----------
    path
        The video file.
    time_zero
        What becomes time 0: the first picture, or the start of the container.

    Raises
    ------
    MediaError
        If the file is missing, empty, damaged, no video, or no frame of it can be decoded.
    """
    if not isfile(path):  # `Path.is_file` raises for a name that is too long
        raise MediaError(f"{path}: no such file. Copy or download it again.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty (0 bytes). Copy or download it again.")
    refuse_other_kinds(path)
    av.logging.set_level(av.logging.PANIC)
    try:
        with opened(path) as container:
            return _probe(path, container, time_zero)
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: cannot be opened as a video ({type(error).__name__}: {error.strerror}): cut "
            f"off before its index, or not a media file. Copy or download it again."
        ) from None


def picture_px(path: Path) -> tuple[int, int]:
    """Return the stored width and height of the pictures, before turning, of the track read."""
    with opened(path) as container:
        track, _ = choose_track(path, container)
        video = container.streams.video[track]
        return video.width, video.height


def _probe(path: Path, container: av.container.InputContainer, time_zero: TimeZero) -> Probe:
    refuse_other_formats(path, container)
    track, tracks = choose_track(path, container)
    video = container.streams.video[track]
    refuse_pixels(path, video.width, video.height)
    sounds = sound_streams(container, video)  # before the walk, which may add streams
    walk = Walk(container, video)
    if not walk.ticks:
        raise MediaError(f"{path}: a picture track without a frame. Copy or download it again.")
    refuse_repeats(path, walk.size)
    pts, segments, length = join(*walk.arrays(), walk.restarts.confirmed(), walk.base)
    step_s = length * walk.base or 1 / float(video.average_rate or 25)
    start_s = walk.start_s(container)
    first_s = float(pts[0] * walk.base)
    by_container = time_zero == "container"
    times_s = (pts - pts[0]) * walk.base + (first_s - start_s if by_container else 0.0)
    origin_s = start_s if by_container else first_s
    refuse_long(path, float(times_s[-1] + step_s))
    if walk.first is None:
        raise MediaError(f"{path}: no frame can be decoded. Copy or download it again.")
    pictures = first_picture(container, track, tracks, walk.first)
    return Probe(
        path=path,
        times_s=times_s,
        duration_s=float(times_s[-1] + step_s),
        origin_s=origin_s,
        timed_by_order=walk.by_order,
        promised_frames=_promised(container, video, walk, int(pts[-1]) + length),
        warnings=(
            *pictures.warnings,
            *_restart_warning(segments, origin_s),
            *_lead(walk.lead, time_zero),
            *_late_start(first_s - start_s, time_zero),
            *(_early_end(container, walk) if len(segments) < 2 else ()),
        ),
        pictures=pictures,
        time_zero=time_zero,
        starts_s=first_s - start_s,
        segments=segments,
        sounds=sounds,
        hidden=walk.hidden,
    )


def _promised(
    container: av.container.InputContainer, video: av.VideoStream, walk: Walk, end: int
) -> int:
    """Return the number of frames that the header promises, at least those that it has.

    Only MP4 and MOV count their frames; other headers estimate the number or leave it out. The
    count includes frames that an edit list cuts off at the end, but the track's length does not.
    `end` is the tick at which the last frame ends.
    """
    frames = len(walk.ticks)
    if "mp4" not in container.format.name:
        return frames
    if video.duration is not None and end >= (video.start_time or 0) + video.duration:
        return frames
    return max(frames, video.frames - walk.hidden)


def _restart_warning(segments: tuple[Segment, ...], origin_s: float) -> tuple[str, ...]:
    if len(segments) < 2:
        return ()
    at = ", ".join(f"{s.begin_s + s.shift_s - origin_s:.2f} s" for s in segments[1:6])
    more = " and later" if len(segments) > 6 else ""
    often = "once" if len(segments) == 2 else f"{len(segments) - 1} times"
    return (
        f"the file's timestamps restart {often} (at {at}{more}): joined recordings, which are read "
        f"one after another",
    )


def _lead(frames: int, time_zero: TimeZero) -> tuple[str, ...]:
    if not frames:
        return ()
    zero = "; time 0 is the first picture that can" if time_zero == "picture" else ""
    return (
        f"the file begins inside a group of pictures: those that refer to earlier ones cannot be "
        f"shown ({frames}){zero}",
    )


def _late_start(starts_s: float, time_zero: TimeZero) -> tuple[str, ...]:
    if starts_s <= _LATE_START_S:
        return ()
    zero = "the first picture" if time_zero == "picture" else "the start of the file"
    return (
        f"the pictures start {starts_s:.2f} s after the file; time 0 of ratings is {zero} "
        f"(media.time_zero)",
    )


def _early_end(container: av.container.InputContainer, walk: Walk) -> tuple[str, ...]:
    if container.duration is None:
        return ()
    promised_s = container.duration / av.time_base
    # The length of a stream is counted from its first timestamp, that of a file from 0.
    ends_s = walk.ends_s - (walk.start_s(container) if may_restart(container) else 0.0)
    if promised_s - ends_s <= _EARLY_END_S:
        return ()
    return (f"the file ends at {ends_s:.2f} s of the {promised_s:.2f} s that its header promises",)
