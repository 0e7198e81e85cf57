"""The media stage: read each video of a shard in a separate process and write its index row."""

import hashlib
import json
import logging
import shutil
import time
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from avfusion.config.jobs import MediaJobSettings
from avfusion.config.sections import Rule, SignalSettings
from avfusion.fingerprint import fingerprint
from avfusion.io.halves import HALF, remove_left
from avfusion.io.redact import below
from avfusion.io.shards import deal, shard_path, write_table
from avfusion.layout import Layout
from avfusion.media.array_rows import FEATURES, ROWS, feature_record, row_record
from avfusion.media.face_track import track_record
from avfusion.media.feature_files import without_media
from avfusion.media.isolate import Reader, read_apart
from avfusion.media.person import Person, span_s
from avfusion.media.reuse import share_record
from avfusion.schemas import EXTRA

_INDEX = {
    "video": "string",
    "status": "string",
    "reason": "string",
    "frames": "Int64",
    "duration_s": "float64",
    "rate_hz": "float64",
    "audio": "boolean",
    "face_share": "float64",
    "faces_max": "Int64",
    "people": "Int64",
    "reader": "string",
    "voiced_share": "float64",
    "audio_offset_s": "float64",
    "warnings": "string",
    "key": "string",
}


log = logging.getLogger(__name__)


def run_shard(
    corpus: str, shard: tuple[int, int], settings: MediaJobSettings, layout: Layout
) -> None:
    """Read the videos of a shard into `layout.media(corpus)` and write the shard's table.

    A record with the same content, settings and code is kept, or shared with another corpus entry.
    The row of a video that cannot be read has the reason. Records of videos that are no longer in
    the manifest are removed, so that no face of a withdrawn participant remains.

    Parameters
    ----------
    corpus
        Name of the corpus entry.
    shard
        (i, n): every n-th video, beginning with the i-th.
    settings
        Folder of the corpus and settings of the media.
    layout
        Paths of the study.
    """
    manifest = pd.read_parquet(layout.manifest(corpus))
    videos = list(deal(manifest, shard).itertuples(index=False))
    folder = layout.media(corpus)
    remove_left(folder)
    if shard[0] == 0:
        _remove_withdrawn(folder, set(manifest["video"]))
    rows: list[dict[str, Any]] = []
    with Reader() as reader:
        for done, video in enumerate(videos, start=1):
            row = _row(corpus, video, folder / video.video, settings, reader)
            rows.append(row)
            where = f"shard {shard[0]}/{shard[1]}, {done} of {len(videos)}"
            log.info("%s: %s%s", where, _summary(row), _left(rows, len(videos)))
    table = pd.DataFrame(rows, columns=[*_INDEX]).astype(_INDEX)
    write_table(table, shard_path(folder, shard))


def video_key(sha256: str, settings: SignalSettings, *person: str | None) -> str:
    """Hash what a record depends on: content, settings, code and `person`.

    Parameters
    ----------
    sha256
        SHA-256 of the video file.
    settings
        Settings of the media; the time limit is not part of the key.
    person
        The second result of `person_of`.
    """
    signal = settings.model_dump(
        mode="json",
        include=set(SignalSettings.model_fields),
        exclude={"face_embedding": {"path"}},  # its SHA-256 counts, wherever the file is
    )
    named = person if any(part is not None for part in person) else ()
    text = json.dumps([fingerprint("avfusion.media.read"), sha256, signal, *named], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _row(
    corpus: str, video: Any, folder: Path, settings: MediaJobSettings, reader: Reader
) -> dict[str, Any]:
    root = settings.root
    if hasattr(video, "row"):
        return dict.fromkeys(_INDEX) | row_record(root, video, folder)
    if without_media(video):
        return dict.fromkeys(_INDEX) | feature_record(video, folder)
    if isinstance(getattr(video, "track", None), str):
        outcome = track_record(root, video, folder, settings.media, reader)
        return _outcome(corpus, video, root, folder, *outcome)
    person, identity = person_of(root, video)
    key = video_key(video.sha256, settings.media, *identity)
    meta = _finished(folder, key)
    reason = ""
    if meta is None:
        meta = share_record(folder, key)
    if meta is None:
        began = time.monotonic()
        path = root / video.path
        meta, reason = read_apart(path, folder, settings.media, key, person, reader)
        meta["seconds"] = time.monotonic() - began
    return _outcome(corpus, video, root, folder, meta, reason)


def _outcome(
    corpus: str, video: Any, root: Path, folder: Path, meta: dict[str, Any], reason: str
) -> dict[str, Any]:
    """Return the row of a record; one that failed leaves no record."""
    if reason:
        shutil.rmtree(folder, ignore_errors=True)  # an older record must not be taken for this one
        remove_left(folder.parent)  # of a process that was killed at its time limit
        reason = f"{below(root, reason)} Then run `avf verify {corpus}` and `avf media {corpus}`."
    return {
        **meta,
        "video": video.video,
        "status": "failed" if reason else "ok",
        "reason": reason,
        "warnings": "; ".join(meta.get("warnings", [])),
    }


def person_of(root: Path, video: Any) -> tuple[Person, tuple[str | None, ...]]:
    """Return the person of a manifest row, and what of it the record depends on."""
    values = {name: getattr(video, name, None) for name in EXTRA}
    texts = {name: text if isinstance(text, str) else None for name, text in values.items()}
    crops, sound = texts["crops"], texts["sound"]
    face = cast(Rule | None, texts["side"] or texts["face"])
    half = cast(Literal["left", "right"] | None, texts["half"])
    folders = None if crops is None else tuple(root / part for part in crops.split("|") if part)
    recording = None if sound is None else root / sound
    cut_s = span_s(values["start_s"], values["end_s"])
    person = Person(face, folders, recording, cut_s, half)
    sound_part = () if sound is None else (texts["sound_sha256"],)
    span_part = () if cut_s is None and half is None else (json.dumps([cut_s, half]),)
    return person, (face, crops, texts["crops_sha256"], *sound_part, *span_part)


def _finished(folder: Path, key: str) -> dict[str, Any] | None:
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except (OSError, ValueError):
        return None
    return meta if meta.get("key") == key else None


def _left(rows: list[dict[str, Any]], count: int) -> str:
    """Return how long the other videos take; "" until one was read, as kept ones take no time."""
    seconds = [row["seconds"] for row in rows if "seconds" in row]
    return f"; {sum(seconds) / len(seconds) * (count - len(rows)):.0f} s left" if seconds else ""


def _summary(row: dict[str, Any]) -> str:
    if row["status"] == "failed":
        return f"{row['video']}: failed: {row['reason']}"
    if row["reader"] in (ROWS, FEATURES):
        return f"{row['video']}: {row['duration_s']:.2f} s of {row['reader']}"
    speed = f"{row['frames'] / row['seconds']:.0f} frames/s" if "seconds" in row else "kept"
    share = f"face in {100 * row['face_share']:.0f} %"
    warnings = f"; {row['warnings']}" if row["warnings"] else ""
    return f"{row['video']}: {row['frames']} frames, {speed}, {share}{warnings}"


def _remove_withdrawn(folder: Path, videos: set[str]) -> None:
    """Remove the records of videos that are no longer in the manifest."""
    for record in folder.iterdir() if folder.is_dir() else []:
        if record.name in videos or HALF.search(record.name):
            continue
        if record.is_dir() and (record / "meta.json").is_file():
            log.warning("%s is no longer in the manifest; removed", record)
            shutil.rmtree(record)
