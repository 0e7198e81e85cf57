"""Read one video file into one record: face track and log-mel on the video's timeline."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from avfusion.config.sections import SignalSettings
from avfusion.errors import MediaError
from avfusion.media.audio import Sound
from avfusion.media.faces import Face, FaceTrack
from avfusion.media.mel import MelShape, log_mel
from avfusion.media.person import Crops, Person
from avfusion.media.probe import Probe, cut, probe
from avfusion.media.store import new_record
from avfusion.media.video import Frames
from avfusion.media.writer import RecordWriter

Progress = Callable[[int, int, str], None]  # frames done, frames expected, reader


_SHORT_S = 0.5  # a sound that ends earlier than this before the pictures gets a warning


_NO_FACE = (math.nan,) * 15


class _Track(NamedTuple):
    """Statistics of a face track; `last_s` is the time of the last frame."""

    frames: int
    with_face: int
    faces_max: int
    crowded: int  # frames with more than one face
    last_s: float
    reader: str
    warnings: list[str]


def read_video(
    path: Path,
    folder: Path,
    settings: SignalSettings,
    key: str = "",
    use_decord: bool = True,
    progress: Progress = lambda done, total, reader: None,
    person: Person | None = None,
) -> dict[str, Any]:
    """Read a video into a record folder, which appears only when it is complete.

    Parameters
    ----------
    path
        The video file.
    folder
        Folder of the record.
    settings
        Settings of face crops and log-mel.
    key
        Hash of content, settings and code, stored in the record.
    use_decord
        Whether decord may decode the pictures; else PyAV does.
    progress
        Called after each frame with frames done, frames expected and the reader.
    person
        The person and span to read; by default the complete video.

    Returns
    -------
    dict
        Meta of the record.

    Raises
    ------
    MediaError
        If the video cannot be read.
    """
    mel_shape, person = MelShape.of(settings), person or Person()
    file = cut(probe(path), person.cut_s)
    sound = Sound(sound_source(file, person.sound), settings.sample_rate_hz)
    with new_record(folder) as writer:
        if person.crops is None:
            track = _write_faces(writer, file, settings, progress, use_decord, person)
        else:
            track = _write_crops(writer, file, settings, person)
        # The last frame that was read, plus its display time.
        duration_s = float(file.duration_s - file.times_s[-1] + track.last_s)
        rows = mel_shape.rows(duration_s)
        writer.add_logmel(log_mel(sound, rows, mel_shape), rows, mel_shape.bands)
        meta = {
            "key": key,
            **_index_entries(track, sound, duration_s),
            "warnings": [*file.warnings, *track.warnings, *_remarks(track, sound)],
            "face_px": settings.face_px,
            "mel_hop_s": settings.mel_hop_s,
        }
        writer.close(meta)
    return meta


def sound_source(file: Probe, recording: Path | None) -> Probe:
    """Return the file to read sound from: the video, or a recording that begins with it."""
    if recording is None:
        return file
    return replace(file, path=recording, audio=True, origin_s=0.0, complete=True)


def _write_faces(
    writer: RecordWriter,
    file: Probe,
    settings: SignalSettings,
    progress: Progress,
    use_decord: bool,
    person: Person,
) -> _Track:
    """Write every frame with its face; return the statistics of the track."""
    frames = Frames(file, use_decord)
    tracker = FaceTrack(settings.face_score, settings.face_px, person.side)
    total = with_face = faces_max = crowded = 0
    last_s = 0.0
    for index, time_s, picture in frames:
        image = person.seen(picture)
        count, face = tracker.step(time_s, image)
        crop = None if face is None else tracker.crop(image, face)
        writer.add_frame((time_s, count, *_numbers(face)), crop)
        total, last_s = index + 1, time_s
        with_face += face is not None
        faces_max = max(faces_max, count)
        crowded += count > 1
        progress(total, len(file.times_s), frames.reader)
    if not total:
        raise MediaError(f"{file.path}: no frame can be decoded. Copy or download it again.")
    return _Track(total, with_face, faces_max, crowded, last_s, frames.reader, frames.warnings)


def _write_crops(
    writer: RecordWriter, file: Probe, settings: SignalSettings, person: Person
) -> _Track:
    """Write the existing crop of every frame; no picture is decoded."""
    crops = Crops(person.crops or (), settings.face_px)
    with_face = 0
    for index, time_s in enumerate(file.times_s.tolist()):
        crop = crops.get(file.skipped + index)
        exists = crop is not None
        writer.add_frame((time_s, int(exists), 1.0 if exists else math.nan, *_NO_FACE[1:]), crop)
        with_face += exists
    warnings = [f"images that cannot be read: {crops.broken}"] if crops.broken else []
    frames, last_s = len(file.times_s), float(file.times_s[-1])
    return _Track(frames, with_face, int(with_face > 0), 0, last_s, "crops", warnings)


def _index_entries(track: _Track, sound: Sound, duration_s: float) -> dict[str, Any]:
    """Return the columns of the media index."""
    silent = math.isnan(sound.start_s)
    return {
        "frames": track.frames,
        "duration_s": duration_s,
        "rate_hz": track.frames / duration_s,
        "audio": not silent,
        "face_share": track.with_face / track.frames,
        "faces_max": track.faces_max,
        "reader": track.reader,
        "audio_offset_s": None if silent else sound.start_s,
    }


def _numbers(face: Face | None) -> tuple[float, ...]:
    if face is None:
        return _NO_FACE
    return (face.score, *face.box.tolist(), *face.points.ravel().tolist())


def _remarks(track: _Track, sound: Sound) -> list[str]:
    remarks = list(sound.warnings)
    if track.last_s - sound.end_s > _SHORT_S:
        remarks.append(f"the sound ends at {sound.end_s:.2f} s, the pictures {track.last_s:.2f} s")
    if not sound.probe.audio:
        remarks.append("no sound track")
    if not track.with_face:
        remarks.append("no face in any frame")
    if track.crowded:
        remarks.append(
            f"more than one face in {track.crowded} frames (up to {track.faces_max}); "
            f"one person is followed"
        )
    return remarks
