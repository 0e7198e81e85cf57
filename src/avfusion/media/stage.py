"""The media stage: every video of a shard read in a process of its own, every video a row."""

import hashlib
import json
import logging
import shutil
import time
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.fingerprint import fingerprint
from avfusion.io.redact import below
from avfusion.io.shards import deal, shard_path, write_table
from avfusion.layout import Layout
from avfusion.media.array_rows import ROWS, row_record
from avfusion.media.isolate import read_apart
from avfusion.media.person import Person, span_s
from avfusion.media.reuse import share_record
from avfusion.media.store import remove_halves
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
    "reader": "string",
    "audio_offset_s": "float64",
    "warnings": "string",
    "key": "string",
}


log = logging.getLogger(__name__)


def run_shard(
    corpus: str, root: Path, shard: tuple[int, int], settings: dict[str, Any], layout: Layout
) -> None:
    """Read the shard's videos below `root` into layout.media(corpus), and write its table.

    A video that was read before with the same content, settings and code is left as it is, and
    one that another corpus of the study read so is shared with it. One that cannot be read fails
    alone, with its reason in its row. Records of videos that are no
    longer in the manifest are removed: whoever withdraws leaves no face behind.
    """
    manifest = pd.read_parquet(layout.manifest(corpus))
    videos = list(deal(manifest, shard).itertuples(index=False))
    folder = layout.media(corpus)
    if shard[0] == 0:
        _remove_withdrawn(folder, set(manifest["video"]))
    rows, began = [], time.monotonic()
    for done, video in enumerate(videos, start=1):
        row = _row(corpus, root, video, folder / video.video, settings)
        rows.append(row)
        left_s = (time.monotonic() - began) / done * (len(videos) - done)
        where = f"shard {shard[0]}/{shard[1]}, {done} of {len(videos)}"
        log.info("%s: %s; %.0f s left", where, _told(row), left_s)
    table = pd.DataFrame(rows, columns=[*_INDEX]).astype(_INDEX)
    write_table(table, shard_path(folder, shard))


def video_key(sha256: str, settings: dict[str, Any], *person: str | None) -> str:
    """What a record depends on: content, settings, code; whose face, and faces that lie ready."""
    own = {name: value for name, value in settings.items() if name != "time_limit_s"}
    whose = person if any(said is not None for said in person) else ()
    text = json.dumps([fingerprint("avfusion.media.read"), sha256, own, *whose], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _row(
    corpus: str, root: Path, video: Any, folder: Path, settings: dict[str, Any]
) -> dict[str, Any]:
    if hasattr(video, "row"):
        return dict.fromkeys(_INDEX) | row_record(root, video, folder)
    person, whose = _person(root, video)
    key = video_key(video.sha256, settings, *whose)
    meta = _finished(folder, key)
    reason = ""
    if meta is None:
        remove_halves(folder)
        meta = share_record(folder, key)
    if meta is None:
        began = time.monotonic()
        meta, reason = read_apart(root / video.path, folder, settings, key, person)
        meta["seconds"] = time.monotonic() - began
    if reason:
        shutil.rmtree(folder, ignore_errors=True)  # an older record would pass for this one
        reason = f"{below(root, reason)} Then run `avf verify {corpus}` and `avf media {corpus}`."
    return {
        **meta,
        "video": video.video,
        "status": "failed" if reason else "ok",
        "reason": reason,
        "warnings": "; ".join(meta.get("warnings", [])),
    }


def _person(root: Path, video: Any) -> tuple[Person, tuple[str | None, ...]]:
    """Who is meant, and what of it the record depends on; most corpora leave it open."""
    said = {name: getattr(video, name, None) for name in EXTRA}
    own = {name: text if isinstance(text, str) else None for name, text in said.items()}
    crops, sound, half = own["crops"], own["sound"], own["half"]
    folders = None if crops is None else tuple(root / part for part in crops.split("|") if part)
    beside = None if sound is None else root / sound
    cut_s = span_s(said["start_s"], said["end_s"])
    person = Person(own["side"], folders, beside, cut_s, half)
    heard = () if sound is None else (own["sound_sha256"],)
    part = () if cut_s is None and half is None else (json.dumps([cut_s, half]),)
    return person, (own["side"], crops, own["crops_sha256"], *heard, *part)


def _finished(folder: Path, key: str) -> dict[str, Any] | None:
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except (OSError, ValueError):
        return None
    return meta if meta.get("key") == key else None


def _told(row: dict[str, Any]) -> str:
    if row["status"] == "failed":
        return f"{row['video']}: failed: {row['reason']}"
    if row["reader"] == ROWS:
        return f"{row['video']}: {row['duration_s']:.2f} s of arrays"
    speed = f"{row['frames'] / row['seconds']:.0f} frames/s" if "seconds" in row else "done before"
    share = f"face in {100 * row['face_share']:.0f} %"
    noted = f"; {row['warnings']}" if row["warnings"] else ""
    return f"{row['video']}: {row['frames']} frames, {speed}, {share}{noted}"


def _remove_withdrawn(folder: Path, videos: set[str]) -> None:
    for record in folder.glob("*/meta.json"):
        if record.parent.name not in videos:
            log.warning("%s is not in the manifest any more: removed", record.parent)
            shutil.rmtree(record.parent)
