"""Media records of videos that are rows of shared arrays: only their length and digest."""

import hashlib
import json
from pathlib import Path
from typing import Any

from avfusion.errors import CorpusError
from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import write_text
from avfusion.media.arrays import Utterance

ROWS = "arrays"
"""Value of `reader` in such a record."""


def row_record(root: Path, video: Any, folder: Path) -> dict[str, Any]:
    """Write meta.json into `folder` and return the row of the media index.

    The key hashes all arrays of the utterance, so folds share the features of one utterance.

    Parameters
    ----------
    root
        Folder of the corpus.
    video
        Row of the manifest with `row`, `path` (the labels of the split) and `end_s`, the length.
    folder
        Folder of the record.

    Returns
    -------
    dict
        Row of the index; `status` is "failed" if the arrays cannot be read.
    """
    utterance = Utterance(root, video.path, int(video.row), float(video.end_s))
    try:
        pictures, steps, digest = len(utterance.pictures), len(utterance.mfcc), utterance.digest()
    except (CorpusError, IndexError) as error:
        reason = f"{error} Run `avf verify CORPUS`."
        return {"video": video.video, "status": "failed", "reason": reason}
    text = json.dumps([fingerprint("avfusion.media.arrays"), digest, utterance.duration_s])
    meta = {
        "frames": pictures,
        "duration_s": utterance.duration_s,
        "rate_hz": pictures / utterance.duration_s if utterance.duration_s else 0.0,
        "audio": steps > 0,
        "face_share": float(pictures > 0),
        "faces_max": int(pictures > 0),
        "reader": ROWS,
        "audio_offset_s": 0.0,
        "key": hashlib.sha256(text.encode()).hexdigest(),
    }
    record = {**meta, "path": video.path, "row": utterance.row, "warnings": []}
    write_text(folder / "meta.json", json.dumps(record, indent=1) + "\n")
    return {**meta, "video": video.video, "status": "ok", "reason": "", "warnings": ""}
