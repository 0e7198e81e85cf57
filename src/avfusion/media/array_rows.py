"""Media records of videos without media: rows of shared arrays, and files of features.

Such a record holds only the length and a digest.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from avfusion.errors import CorpusError
from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import write_text
from avfusion.media.arrays import Utterance
from avfusion.media.feature_files import named_files

ROWS, FEATURES = "arrays", "features, no media"
"""Values of `reader` in such a record."""


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
    digests = [fingerprint("avfusion.media.arrays"), digest, utterance.duration_s]
    meta = {
        "frames": pictures,
        "duration_s": utterance.duration_s,
        "rate_hz": pictures / utterance.duration_s if utterance.duration_s else 0.0,
        "audio": steps > 0,
        "face_share": float(pictures > 0),
        "faces_max": int(pictures > 0),
        "reader": ROWS,
        "audio_offset_s": 0.0,
    }
    return _written(video.video, folder, meta, digests, path=video.path, row=utterance.row)


def feature_record(video: Any, folder: Path) -> dict[str, Any]:
    """Write meta.json of a video that has only files of features, and return its index row.

    The encoders read the files themselves; the digest of the files is from the manifest.

    Parameters
    ----------
    video
        Row of the manifest with `features`, `features_sha256`, `start_s` and `end_s`.
    folder
        Folder of the record.
    """
    span_s = [float(video.start_s), float(video.end_s)]
    meta = {
        "frames": 0,
        "duration_s": span_s[1] - span_s[0],
        "rate_hz": 0.0,
        "audio": False,
        "face_share": 0.0,
        "faces_max": 0,
        "reader": FEATURES,
        "audio_offset_s": None,
    }
    digests = [video.features_sha256, span_s]
    return _written(video.video, folder, meta, digests, features=named_files(video))


def _written(
    video: str, folder: Path, meta: dict[str, Any], digests: list[Any], **more: Any
) -> dict[str, Any]:
    """Write a record with a hash of `digests` as its key, and return the row of the index."""
    # What a recording of the same name left must not stay.
    for left in folder.iterdir() if folder.is_dir() else []:
        if left.name != "meta.json":
            left.unlink()
    meta = {**meta, "key": hashlib.sha256(json.dumps(digests).encode()).hexdigest()}
    write_text(folder / "meta.json", json.dumps({**meta, **more, "warnings": []}, indent=1) + "\n")
    return {**meta, "video": video, "status": "ok", "reason": "", "warnings": ""}
