"""Read what a video file contains and when each frame is shown; readers are checked against it.

Times are the presentation timestamps of the container's packets, without decoding and without the
packets that an edit list hides. Time 0 is the first displayed frame.
"""

from array import array
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from avfusion.errors import MediaError
from avfusion.media.decode import Decoded

_EARLY_END_S = 0.5


_SLACK_S = 1e-6


@dataclass(frozen=True)
class Probe:
    """One file, or a span of it, as described by its container.

    Attributes
    ----------
    path
        The file.
    times_s
        Times of the displayed frames in seconds, float64 (F,), ascending; the first is 0.
    duration_s
        End of the last displayed frame in seconds.
    origin_s
        Container time of time 0 in seconds.
    rotation
        Degrees counter-clockwise that turn a decoded frame upright: 0, 90, 180 or 270.
    timed_by_order
        Whether the container stores no presentation times (AVI): frame i is shown at times_s[i].
    promised_frames
        Number of frames in the container's header; more than F if the file was cut off.
    audio
        Whether there is a sound track.
    warnings
        What is odd about the file.
    skipped
        Number of the file's frames before the span.
    complete
        Whether it is the complete file and not a span of it.
    """

    path: Path
    times_s: np.ndarray
    duration_s: float
    origin_s: float
    rotation: int
    timed_by_order: bool
    promised_frames: int
    audio: bool
    warnings: tuple[str, ...]
    skipped: int = 0
    complete: bool = True


def cut(file: Probe, cut_s: tuple[float, float] | None) -> Probe:
    """Limit a file to the span [start, end), whose start becomes time 0.

    Raises
    ------
    MediaError
        If the span has no picture.

    Examples
    --------
    >>> from pathlib import Path
    >>> file = Probe(Path("x"), np.arange(5) / 10, 0.5, 0.0, 0, False, 5, True, ())
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
    early = early_s > _EARLY_END_S
    warnings = (f"the pictures end {early_s:.2f} s before the cut",) if early else ()
    return replace(
        file,
        times_s=np.maximum(file.times_s[first:last] - start_s, 0.0),
        duration_s=min(end_s, file.duration_s) - start_s,
        origin_s=file.origin_s + start_s,
        promised_frames=int(last - first),
        warnings=warnings,
        skipped=int(first),
        complete=False,
    )


def probe(path: Path) -> Probe:
    """Read the packets of `path`.

    Raises
    ------
    MediaError
        If the file is missing, empty, damaged, or no frame of it can be decoded.
    """
    if not path.is_file():
        raise MediaError(f"{path}: no such file. Copy or download it again.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty (0 bytes). Copy or download it again.")
    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(str(path)) as container:
            return _probe(path, container)
    except av.FFmpegError as error:
        raise MediaError(
            f"{path}: cannot be opened as a video ({type(error).__name__}: {error.strerror}): cut "
            f"off before its index, or not a media file. Copy or download it again."
        ) from None


def picture_px(path: Path) -> tuple[int, int]:
    """Return the width and height of the pictures according to the container."""
    with av.open(str(path)) as container:
        video = container.streams.best("video")
        assert isinstance(video, av.VideoStream), path
        return video.width, video.height


def _probe(path: Path, container: av.container.InputContainer) -> Probe:
    video = container.streams.best("video")
    if not isinstance(video, av.VideoStream):
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "none"
        raise MediaError(f"{path}: no picture track (tracks found: {kinds}). Use another file.")
    by_order = container.format.name == "avi"
    ticks, hidden, ends_s, last_ticks = _walk(container, video, by_order)
    if not ticks:
        raise MediaError(f"{path}: a picture track without a frame. Copy or download it again.")
    assert video.time_base is not None, path
    base = float(video.time_base)
    pts = np.sort(np.frombuffer(ticks, np.int64))
    times_s = (pts - pts[0]) * base
    step_s = last_ticks * base or (float(np.median(np.diff(times_s))) if len(pts) > 1 else 0.0)
    step_s = step_s or (1 / float(video.average_rate) if video.average_rate else 0.04)
    # Only MP4 and MOV count their frames; other headers estimate the number or leave it out.
    header = video.frames - hidden if "mp4" in container.format.name else 0
    return Probe(
        path=path,
        times_s=times_s,
        duration_s=float(times_s[-1] + step_s),
        origin_s=float(pts[0] * base),
        rotation=_rotation(path),
        timed_by_order=by_order,
        promised_frames=max(header, len(pts)),
        audio=container.streams.best("audio") is not None,
        warnings=_early_end(container, ends_s),
    )


def _walk(
    container: av.container.InputContainer, video: av.VideoStream, by_order: bool
) -> tuple[array, int, float, int]:
    """Return ticks of displayed frames, number of hidden ones, the file's end, the last length."""
    ticks, hidden, ends_s, last, length = array("q"), 0, 0.0, None, 0
    try:
        for packet in container.demux():
            at = packet.dts if by_order or packet.pts is None else packet.pts
            if at is None or packet.size == 0:
                continue
            ends_s = max(ends_s, float((at + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index != video.index:
                continue
            if packet.is_discard:
                hidden += 1
                continue
            ticks.append(at)
            if last is None or at >= last:
                last, length = at, packet.duration or 0
    except av.FFmpegError:
        pass  # a damaged tail: frames before it count, and the reader reports how many it read
    return ticks, hidden, ends_s, length


def _early_end(container: av.container.InputContainer, ends_s: float) -> tuple[str, ...]:
    if container.duration is None:
        return ()
    promised_s = container.duration / av.time_base
    if promised_s - ends_s <= _EARLY_END_S:
        return ()
    return (f"the file ends at {ends_s:.2f} s of the {promised_s:.2f} s that its header promises",)


def _rotation(path: Path) -> int:
    """Read the rotation from the first frame that can be decoded."""
    for _, frame in Decoded(path, av.VideoFrame):
        return round(frame.rotation / 90) * 90 % 360
    raise MediaError(f"{path}: no frame can be decoded. Copy or download it again.")
