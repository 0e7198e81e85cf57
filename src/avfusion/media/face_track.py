"""Read a recording of sound and a folder of face pictures, as VoxCeleb1 has them, into one record.

The pictures have no times. They are placed evenly over the sound, in the order of the numbers in
their names, and of the names where the numbers are equal: picture i of n is at (i + 0.5) / n of the
duration. The order of a folder's entries on disk, which the published code of RJCA for verification
takes, differs between machines.
"""

import hashlib
import math
import re
import struct
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from avfusion.config.sections import MediaSettings, SignalSettings
from avfusion.errors import MediaError
from avfusion.fingerprint import fingerprint
from avfusion.media.bounds import MOST_PIXELS
from avfusion.media.isolate import Reader, told
from avfusion.media.new_record import new_record
from avfusion.media.people_tables import NO_FACE
from avfusion.media.sound import write_sound
from avfusion.media.sound_only import probe_sound
from avfusion.media.store import MediaRecord

READER = "sound and face pictures"
ENDINGS = (".jpg", ".jpeg", ".png")

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG segments that state the size of the picture."""


def ordered(names: list[str]) -> list[str]:
    """Return the names of pictures in the order in which they are shown.

    >>> ordered(["10.jpg", "9.jpg", "notes.txt", "0000002.jpg"])
    ['0000002.jpg', '9.jpg', '10.jpg']
    """
    shown = [name for name in names if name.lower().endswith(ENDINGS)]
    return sorted(shown, key=lambda name: ([int(n) for n in re.findall(r"\d+", name)], name))


def read_track(
    sound: Path, pictures: Path, folder: Path, settings: SignalSettings, key: str = ""
) -> dict[str, Any]:
    """Read a sound file and a folder of faces into a record folder, and return its meta.

    Parameters
    ----------
    sound
        The sound file; time 0 is its first sample.
    pictures
        Folder of cropped faces of one person. They are scaled to `settings.face_px`.
    folder
        Folder of the record.
    settings
        Settings of face crops and sound.
    key
        Hash of content, settings and code, stored in the record.

    Raises
    ------
    MediaError
        If the sound cannot be read, or the folder is missing.
    """
    if not pictures.is_dir():
        raise MediaError(f"{pictures}: no such folder of pictures. Copy or unpack it again.")
    file = probe_sound(sound)
    names = ordered([path.name for path in pictures.iterdir()])
    broken = 0
    with new_record(folder) as writer:
        written = write_sound(writer, file, file.duration_s, settings)
        for index, name in enumerate(names):
            face = _face(pictures / name, settings.face_px)
            broken += face is None
            time_s = (index + 0.5) / len(names) * file.duration_s
            seen = face is not None
            writer.add_frame((time_s, int(seen), 1.0 if seen else math.nan, *NO_FACE[1:]), face)
        warnings = list(written.warnings)
        warnings += [] if len(names) > broken else ["no face picture"]
        warnings += [f"pictures that cannot be read: {broken}"] if broken else []
        with_face = len(names) - broken
        meta = {
            "key": key,
            "pictures": {"track": None, "tracks": 0},
            "frames": len(names),
            "duration_s": file.duration_s,
            "rate_hz": len(names) / file.duration_s,
            "audio": written.exists,
            "face_share": with_face / max(len(names), 1),
            "faces_max": int(with_face > 0),
            "reader": READER,
            "voiced_share": written.meta["voiced_share"],
            "audio_offset_s": written.start_s if written.exists else None,
            "warnings": warnings,
            "face_px": settings.face_px,
            "sound": written.meta,
            "faces": {"rule": "pictures"},
        }
        writer.close(meta)
    return meta


def track_record(
    root: Path, video: Any, folder: Path, settings: MediaSettings, reader: Reader
) -> tuple[dict[str, Any], str]:
    """Return the meta of a manifest row's record, made again only if needed, and why it failed.

    `reader` is the process that reads it.
    """
    signal = settings.model_dump_json(include=set(SignalSettings.model_fields))
    parts = (fingerprint("avfusion.media.face_track"), video.sha256, video.track_sha256, signal)
    key = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
    if (folder / "meta.json").is_file():
        meta = MediaRecord.open(folder).meta
        if meta.get("key") == key:
            return meta, ""
    sound = root / video.path
    job = (sound, root / video.track, folder, settings, key)
    state = reader.attempt(_read, job, settings.time_limit_s)
    if "end" in state:
        return {}, f"{sound}: {state['end']}"
    return state.get("meta", {}), state.get("reason", "")


def _read(
    _: Connection, sound: Path, pictures: Path, folder: Path, settings: SignalSettings, key: str
) -> dict[str, Any]:
    """Read one track in the reading process; return its meta, or why there is none."""
    return told(str(sound), lambda: read_track(sound, pictures, folder, settings, key))


def _face(path: Path, side: int) -> bytes | None:
    """Return a picture as JPEG, `side` square; None if it cannot be read or is too large."""
    try:
        raw = path.read_bytes() if path.is_file() else b""
        width, height = size_px(raw)
        if not 0 < width * height <= MOST_PIXELS:
            return None
        image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    if image is None:
        return None
    if image.shape[:2] == (side, side) and raw[:2] == b"\xff\xd8":
        return raw
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def size_px(raw: bytes) -> tuple[int, int]:
    """Return width and height in the header of a PNG or JPEG picture; (0, 0) if it is neither.

    Source: PNG (RFC 2083), sections 3.1 and 4.1.1; JPEG (ITU-T T.81), sections B.1 and B.2.

    >>> size_px(b"no picture")
    (0, 0)
    """
    if raw.startswith(b"\x89PNG\r\n\x1a\n") and len(raw) >= 24:
        width, height = struct.unpack(">II", raw[16:24])
        return width, height
    at = 2 if raw.startswith(b"\xff\xd8") else len(raw)
    while at + 9 <= len(raw) and raw[at] == 0xFF:
        marker, length = struct.unpack(">xBH", raw[at : at + 4])
        if marker == 0xFF:  # a byte of padding
            at += 1
        elif marker in _FRAMES:
            height, width = struct.unpack(">HH", raw[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + length
    return 0, 0
