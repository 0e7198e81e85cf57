"""A video that is a row of shared arrays: its record is its length and digest, nothing else."""

import hashlib
import json
from pathlib import Path
from typing import Any

from avfusion.errors import CorpusError
from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import write_text
from avfusion.media.arrays import Utterance

ROWS = "arrays"
"""The `reader` of such a record."""


def row_record(root: Path, video: Any, folder: Path) -> dict[str, Any]:
    """Write meta.json into `folder`, and its row of the media index.

    video: a manifest row with `row`, `path` (the split's labels) and `end_s`, its length. The key
    names all that can be read of it, so that folds share what is made of one utterance.
    """
    found = Utterance(root, video.path, int(video.row), float(video.end_s))
    try:
        pictures, steps, digest = len(found.pictures), len(found.mfcc), found.digest()
    except (CorpusError, IndexError) as error:
        return {"video": video.video, "status": "failed", "reason": f"{error} Run `avf verify`."}
    text = json.dumps([fingerprint("avfusion.media.arrays"), digest, found.duration_s])
    meta = {
        "frames": pictures,
        "duration_s": found.duration_s,
        "rate_hz": pictures / found.duration_s if found.duration_s else 0.0,
        "audio": steps > 0,
        "face_share": float(pictures > 0),
        "faces_max": int(pictures > 0),
        "reader": ROWS,
        "audio_offset_s": 0.0,
        "key": hashlib.sha256(text.encode()).hexdigest(),
    }
    said = {**meta, "path": video.path, "row": found.row, "warnings": []}
    write_text(folder / "meta.json", json.dumps(said, indent=1) + "\n")
    return {**meta, "video": video.video, "status": "ok", "reason": "", "warnings": ""}
