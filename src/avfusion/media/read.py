"""Read one video file into one record: face track and sound on the video's timeline."""

import math
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from avfusion.config.sections import SignalSettings
from avfusion.media import people, people_tables
from avfusion.media.new_record import new_record
from avfusion.media.people import Progress, Search
from avfusion.media.people_tables import NO_FACE
from avfusion.media.person import Crops, Person
from avfusion.media.probe import Probe, cut, probe
from avfusion.media.sound import WrittenSound, write_sound
from avfusion.media.sound_only import first_sample_s, read_sound
from avfusion.media.sound_track import choose
from avfusion.media.speaking import Heard, heard_in, silence
from avfusion.media.spool import Spool
from avfusion.media.store import MediaRecord
from avfusion.media.writer import RecordWriter

_SHORT_S = 0.5  # a sound that starts later or ends earlier than the pictures by more is a warning


class _Faces(NamedTuple):
    """What is known of the faces after they were written; `meta` is the entry `faces`."""

    with_face: int
    read: int  # frames that were searched for the face, or hold one
    faces_max: int
    meta: dict[str, Any]
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
        Settings of face crops and sound.
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
    person = person or Person()
    if person.sound == path:  # a recording without pictures
        return read_sound(path, folder, settings, key, person.cut_s)
    file = cut(probe(path, settings.time_zero), person.cut_s)
    with new_record(folder) as writer, Spool(writer.folder) as spool:
        pictures = _searched(spool, file, settings, progress, use_decord, person)
        # The last frame that was read, plus its display time.
        duration_s = float(file.duration_s - file.times_s[-1] + pictures.times_s[-1])
        sound = write_sound(writer, sound_source(file, person.sound), duration_s, settings)
        if person.crops is None:
            faces = _write_faces(writer, pictures, settings, person, _heard(writer, sound))
        else:
            faces = _write_crops(writer, file, settings, person.crops)
        meta = {"key": key, **_described(file, pictures, sound, faces, duration_s, settings)}
        writer.close(meta)
    return meta


def _described(
    file: Probe,
    pictures: Search,
    sound: WrittenSound,
    faces: _Faces,
    duration_s: float,
    settings: SignalSettings,
) -> dict[str, Any]:
    """Return the meta of a record, except for its key."""
    warnings = [*file.warnings, *pictures.warnings, *_remarks(pictures, sound), *faces.warnings]
    return {
        "pictures": file.described(),
        **_index_entries(pictures, faces, sound, duration_s),
        "warnings": warnings,
        "face_px": settings.face_px,
        "sound": sound.meta,
        "faces": faces.meta,
    }


def sound_source(file: Probe, recording: Path | None) -> Probe:
    """Return the file to read sound from: the video, or a recording of its own.

    Such a recording begins with the first picture, or with the span that is cut.
    """
    if recording is None:
        return file
    first_s = first_sample_s(recording, choose(recording).index)
    origin_s = 0.0 if math.isnan(first_s) else first_s
    if file.complete and file.time_zero == "container":
        origin_s -= file.starts_s
    return replace(file, path=recording, origin_s=origin_s, complete=True, segments=(), sounds=None)


def _searched(
    spool: Spool,
    file: Probe,
    settings: SignalSettings,
    progress: Progress,
    use_decord: bool,
    person: Person,
) -> Search:
    """Search the pictures; with existing crops, no picture is decoded."""
    if person.crops is not None:
        return Search(spool, array("d", file.times_s), reader="crops")
    return people.search(file, settings, person, spool, use_decord, progress)


def _heard(writer: RecordWriter, sound: WrittenSound) -> Heard:
    """Return the sound that was written, to tell who speaks."""
    if not sound.exists:
        return silence
    return heard_in(MediaRecord(writer.folder, {"sound": sound.meta}))


def _write_faces(
    writer: RecordWriter, pictures: Search, settings: SignalSettings, person: Person, heard: Heard
) -> _Faces:
    """Write every frame with the face of the followed person, and who else is seen."""
    rule = person.face or settings.face
    roles = people.cast(pictures, settings, rule, heard)
    with_face = people_tables.write(writer, pictures, roles, rule)
    meta = people.described(pictures, roles, settings, rule)
    faces_max = max(pictures.spool.counts, default=0)
    read = max(len(pictures.looked), with_face)
    return _Faces(with_face, read, faces_max, meta, people.remarks(pictures, roles))


def _write_crops(
    writer: RecordWriter, file: Probe, settings: SignalSettings, folders: tuple[Path, ...]
) -> _Faces:
    """Write the existing crop of every frame."""
    crops = Crops(folders, settings.face_px)
    with_face = 0
    for index, time_s in enumerate(file.times_s.tolist()):
        crop = crops.get(file.skipped + index)
        exists = crop is not None
        writer.add_frame((time_s, int(exists), 1.0 if exists else math.nan, *NO_FACE[1:]), crop)
        with_face += exists
    warnings = [] if with_face else ["no face in any frame"]
    if crops.broken:
        warnings.append(f"images that cannot be read: {crops.broken}")
    return _Faces(with_face, len(file.times_s), int(with_face > 0), {"rule": "crops"}, warnings)


def _index_entries(
    pictures: Search, faces: _Faces, sound: WrittenSound, duration_s: float
) -> dict[str, Any]:
    """Return the columns of the media index."""
    frames = len(pictures.times_s)
    return {
        "frames": frames,
        "duration_s": duration_s,
        "rate_hz": frames / duration_s,
        "audio": sound.exists,
        "face_share": faces.with_face / faces.read,
        "faces_max": faces.faces_max,
        "people": faces.meta.get("people"),
        "reader": pictures.reader,
        "voiced_share": sound.meta["voiced_share"],
        "audio_offset_s": sound.start_s if sound.exists else None,
    }


def _remarks(pictures: Search, sound: WrittenSound) -> list[str]:
    remarks = list(sound.warnings)
    first_s, last_s = pictures.times_s[0], pictures.times_s[-1]
    if sound.exists and sound.start_s - first_s > _SHORT_S:
        remarks.append(f"the sound starts {sound.start_s - first_s:.2f} s after the pictures")
    if last_s - sound.end_s > _SHORT_S:
        remarks.append(f"the sound ends at {sound.end_s:.2f} s, the pictures {last_s:.2f} s")
    return remarks
