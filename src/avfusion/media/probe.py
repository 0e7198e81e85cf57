"""What a video file holds, and when each frame is shown: the referee that every reader answers to.

Times come from the container's packets, without decoding: presentation timestamps, without the
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
    """One file as its container describes it."""

    path: Path
    times_s: np.ndarray  # (F,) float64, ascending, 0 first
    duration_s: float  # to the end of the last displayed frame
    origin_s: float  # container time of time 0
    rotation: int  # degrees counter-clockwise that make a decoded frame upright: 0, 90, 180, 270
    timed_by_order: bool  # AVI stores no presentation time: frame i is shown at times_s[i]
    promised_frames: int  # what the container's header says; more than F if the file was cut off
    audio: bool
    warnings: tuple[str, ...]
    skipped: int = 0  # frames of the file before the first of times_s: those before a cut
    whole: bool = True  # False: a cut


def cut(file: Probe, cut_s: tuple[float, float] | None) -> Probe:
    """The span [start, end) of a file, its start being time 0; refuses one without a picture.

    >>> from pathlib import Path
    >>> whole = Probe(Path("x"), np.arange(5) / 10, 0.5, 0.0, 0, False, 5, True, ())
    >>> part = cut(whole, (0.15, 0.4))
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
            f"{len(file.times_s)} in {file.duration_s:.3f} s. Copy it again, or mend the times."
        )
    early_s = end_s - file.duration_s
    said = (f"the pictures end {early_s:.2f} s before the cut",) if early_s > _EARLY_END_S else ()
    return replace(
        file,
        times_s=np.maximum(file.times_s[first:last] - start_s, 0.0),
        duration_s=min(end_s, file.duration_s) - start_s,
        origin_s=file.origin_s + start_s,
        promised_frames=int(last - first),
        warnings=said,
        skipped=int(first),
        whole=False,
    )


def probe(path: Path) -> Probe:
    """Read the packets of `path`; refuses, saying why, what cannot give a single frame."""
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
            f"{path}: cannot be opened as a video ({_said(error)}): cut off before "
            f"its index, or not a media file. Copy or download it again."
        ) from None


def picture_px(path: Path) -> tuple[int, int]:
    """Width and height of the pictures, as the container states them."""
    with av.open(str(path)) as container:
        video = container.streams.best("video")
        return video.width, video.height


def _probe(path: Path, container: av.container.InputContainer) -> Probe:
    video = container.streams.best("video")
    if video is None:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "none"
        raise MediaError(f"{path}: no picture track (tracks found: {kinds}). Use another file.")
    by_order = container.format.name == "avi"
    ticks, hidden, ends_s, last_ticks = _walk(container, video, by_order)
    if not ticks:
        raise MediaError(f"{path}: a picture track without a frame. Copy or download it again.")
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
    """Ticks of the displayed frames, how many are hidden, the file's end, the last's length."""
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
        pass  # a damaged tail: what was found before it counts, and the reader will say what it got
    return ticks, hidden, ends_s, length


def _early_end(container: av.container.InputContainer, ends_s: float) -> tuple[str, ...]:
    if container.duration is None:
        return ()
    promised_s = container.duration / av.time_base
    if promised_s - ends_s <= _EARLY_END_S:
        return ()
    return (f"the file ends at {ends_s:.2f} s of the {promised_s:.2f} s that its header promises",)


def _rotation(path: Path) -> int:
    """From the first frame that decodes; a frame carries its track's display matrix."""
    for _, frame in Decoded(path, "video"):
        return round(frame.rotation / 90) * 90 % 360
    raise MediaError(f"{path}: no frame can be decoded. Copy or download it again.")


def _said(error: av.FFmpegError) -> str:
    return f"{type(error).__name__}: {error.strerror}"
