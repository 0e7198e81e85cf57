"""One video file to one record: the face track and the log-mel on the video's timeline."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

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


_SHORT_S = 0.5  # a sound that ends so much before the pictures is worth a word


_NO_FACE = (math.nan,) * 15


def read_video(
    path: Path,
    folder: Path,
    settings: dict[str, Any],
    key: str = "",
    use_decord: bool = True,
    progress: Progress = lambda done, total, reader: None,
    person: Person | None = None,
) -> dict[str, Any]:
    """Read `path` into the record `folder`, whole or not at all; the record's meta.

    `settings` are MediaSettings as a dict; `key` names the content and settings, for resuming;
    `progress` hears of every frame; `person` says who is meant. Refuses with MediaError what cannot
    be read at all.
    """
    mel_shape, person = MelShape.of(settings), person or Person()
    file = cut(probe(path), person.cut_s)
    sound = Sound(heard(file, person.sound), settings["sample_rate_hz"])
    with new_record(folder) as writer:
        if person.crops is None:
            track = _write_faces(writer, file, settings, progress, use_decord, person)
        else:
            track = _write_crops(writer, file, settings, person)
        # The last frame that was read, plus its time on the screen.
        duration_s = float(file.duration_s - file.times_s[-1] + track["last_s"])
        rows = mel_shape.rows(duration_s)
        writer.add_logmel(log_mel(sound, rows, mel_shape), rows, mel_shape.bands)
        meta = {
            "key": key,
            "frames": track["frames"],
            "duration_s": duration_s,
            "rate_hz": track["frames"] / duration_s,
            "audio": not math.isnan(sound.start_s),
            "face_share": track["with_face"] / track["frames"],
            "faces_max": track["faces_max"],
            "reader": track["reader"],
            "audio_offset_s": None if math.isnan(sound.start_s) else sound.start_s,
            "warnings": [*file.warnings, *track["warnings"], *_remarks(file, track, sound)],
            "face_px": settings["face_px"],
            "mel_hop_s": settings["mel_hop_s"],
        }
        writer.close(meta)
    return meta


def heard(file: Probe, sound: Path | None) -> Probe:
    """The file that is listened to: the video's own, or a recording that begins with it."""
    if sound is None:
        return file
    return replace(file, path=sound, audio=True, origin_s=0.0, whole=True)


def _write_faces(
    writer: RecordWriter,
    file: Probe,
    settings: dict[str, Any],
    progress: Progress,
    use_decord: bool,
    person: Person,
) -> dict[str, Any]:
    """Every frame to the writer; what the index says of the track."""
    frames = Frames(file, use_decord)
    tracker = FaceTrack(settings["face_score"], settings["face_px"], person.side)
    track = {"frames": 0, "with_face": 0, "faces_max": 0, "crowded": 0, "last_s": 0.0}
    for index, time_s, picture in frames:
        image = person.seen(picture)
        count, face = tracker.step(time_s, image)
        crop = None if face is None else tracker.crop(image, face)
        writer.add_frame((time_s, count, *_numbers(face)), crop)
        track["frames"] = index + 1
        track["with_face"] += face is not None
        track["faces_max"] = max(track["faces_max"], count)
        track["crowded"] += count > 1
        track["last_s"] = time_s
        progress(index + 1, len(frames.probe.times_s), frames.reader)
    if not track["frames"]:
        raise MediaError(
            f"{frames.probe.path}: no frame can be decoded. Copy or download it again."
        )
    return {**track, "reader": frames.reader, "warnings": frames.warnings}


def _write_crops(
    writer: RecordWriter, file: Probe, settings: dict[str, Any], person: Person
) -> dict[str, Any]:
    """Every frame's ready-made face to the writer; no picture is decoded."""
    crops = Crops(person.crops or (), settings["face_px"])
    with_face = 0
    for index, time_s in enumerate(file.times_s.tolist()):
        crop = crops.get(file.skipped + index)
        here = crop is not None
        writer.add_frame((time_s, int(here), 1.0 if here else math.nan, *_NO_FACE[1:]), crop)
        with_face += here
    lost = [f"images that cannot be read: {crops.broken}"] if crops.broken else []
    return {
        "frames": len(file.times_s),
        "with_face": with_face,
        "faces_max": int(with_face > 0),
        "crowded": 0,
        "last_s": float(file.times_s[-1]),
        "reader": "crops",
        "warnings": lost,
    }


def _numbers(face: Face | None) -> tuple[float, ...]:
    if face is None:
        return _NO_FACE
    return (face.score, *face.box.tolist(), *face.points.ravel().tolist())


def _remarks(file: Probe, track: dict[str, Any], sound: Sound) -> list[str]:
    remarks = list(sound.warnings)
    if track["last_s"] - sound.end_s > _SHORT_S:
        remarks.append(
            f"the sound ends at {sound.end_s:.2f} s, the pictures {track['last_s']:.2f} s"
        )
    if not sound.probe.audio:
        remarks.append("no sound track")
    if not track["with_face"]:
        remarks.append("no face in any frame")
    if track["crowded"]:
        remarks.append(
            f"more than one face in {track['crowded']} frames (up to {track['faces_max']}); "
            f"one person is followed"
        )
    return remarks
