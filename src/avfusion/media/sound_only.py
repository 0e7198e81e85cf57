"""Read a recording without pictures into a record that has no frames."""

from collections.abc import Callable
from dataclasses import replace
from os.path import isfile
from pathlib import Path
from typing import Any

import av
import numpy as np

from avfusion.config.sections import SignalSettings
from avfusion.errors import MediaError
from avfusion.media.bounds import opened, refuse_long
from avfusion.media.decode import Decoded, demuxed
from avfusion.media.new_record import new_record
from avfusion.media.probe import Probe
from avfusion.media.sound import write_sound
from avfusion.media.sound_track import choose

READER = "sound only"


def first_sample_s(path: Path, track: int | None) -> float:
    """Return the container time of a sound track's first sample in seconds; NaN without one.

    Packets may start earlier, with samples that belong to the codec and are thrown away.
    """
    if track is None:
        return np.nan
    decoded = Decoded(path, av.AudioFrame, track)
    return next((time_s for time_s, _ in decoded if time_s is not None), np.nan)


def span_s(
    path: Path, track: int | None, clock: Callable[[float], float] = float
) -> tuple[float, float]:
    """Return the first and last instant of a sound track in seconds; NaN without sound.

    Parameters
    ----------
    path
        The file.
    track
        Number of the track among the sound tracks; None if none is read.
    clock
        Function from container time to the time that is returned, in seconds.
    """
    first_s = first_sample_s(path, track)
    if track is None or np.isnan(first_s):
        return np.nan, np.nan
    first_s = last_s = clock(first_s)
    with opened(path) as container:
        try:
            for packet in demuxed(container, container.streams.audio[track]):
                if packet.pts is not None and packet.size:
                    length_s = float((packet.duration or 0) * packet.time_base)
                    last_s = max(last_s, clock(float(packet.pts * packet.time_base)) + length_s)
        except av.FFmpegError:
            pass  # a damaged tail ends the sound
    return first_s, last_s


def probe_sound(path: Path, cut_s: tuple[float, float] | None = None) -> Probe:
    """Describe a sound file, or a span of it; time 0 is its first sample.

    Raises
    ------
    MediaError
        If the file is missing, has no sound, or none within the span.
    """
    if not isfile(path):  # `Path.is_file` raises for a name that is too long
        raise MediaError(f"{path}: no such file. Copy or download it again.")
    track = choose(path)
    first_s, last_s = span_s(path, track.index)
    if not last_s > first_s:
        raise MediaError(f"{path}: {track.why}. Use another file.")
    refuse_long(path, last_s - first_s)
    file = Probe(path, np.empty(0), last_s - first_s, first_s, False, 0, ())
    if cut_s is None:
        return file
    start_s, end_s = cut_s[0], min(cut_s[1], file.duration_s)
    if not start_s < end_s:
        raise MediaError(
            f"{path}: no sound within {cut_s[0]:.3f} … {cut_s[1]:.3f} s; the file has "
            f"{file.duration_s:.3f} s. Copy it again, or correct the times."
        )
    origin_s = first_s + start_s
    return replace(file, duration_s=end_s - start_s, origin_s=origin_s, complete=False)


def read_sound(
    path: Path,
    folder: Path,
    settings: SignalSettings,
    key: str = "",
    cut_s: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Read a sound file into a record folder and return its meta.

    Parameters
    ----------
    path, folder, settings, key
        As in `avfusion.media.read.read_video`.
    cut_s
        Start and end of the span to read in seconds; by default the complete file.

    Raises
    ------
    MediaError
        If the file has no sound that can be read.
    """
    file = probe_sound(path, cut_s)
    with new_record(folder) as writer:
        sound = write_sound(writer, file, file.duration_s, settings)
        meta = {
            "key": key,
            "pictures": {"track": None, "tracks": 0},
            "frames": 0,
            "duration_s": file.duration_s,
            "rate_hz": 0.0,
            "audio": sound.exists,
            "face_share": 0.0,
            "faces_max": 0,
            "reader": READER,
            "voiced_share": sound.meta["voiced_share"],
            "audio_offset_s": sound.start_s if sound.exists else None,
            "warnings": list(sound.warnings),
            "face_px": settings.face_px,
            "sound": sound.meta,
            "faces": {"rule": None},
        }
        writer.close(meta)
    return meta
