"""Features that are stored: keep those of the same key, and remove those of withdrawn videos."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.io.atomic import file_digest
from avfusion.schemas import INDEX

log = logging.getLogger(__name__)

Row = dict[str, Any]
"""Row of the index of features."""


def remove_withdrawn(folder: Path, videos: set[str]) -> None:
    """Remove the features of videos that are not among `videos`."""
    for stamp in folder.glob("*.json"):
        if stamp.stem not in videos:
            log.warning("%s: no longer in the media index; its features are removed", stamp.stem)
            for ending in (".npy", ".times.npy", ".json"):
                stamp.with_suffix(ending).unlink(missing_ok=True)


def kept_row(folder: Path, video: str, key: str, ends_s: np.ndarray) -> Row | None:
    """Return the row of a video that was encoded under the same key and has undamaged files."""
    try:
        stamp = json.loads((folder / f"{video}.json").read_text())
        digest = file_digest(folder / f"{video}.npy").hex()
        intact = stamp["key"] == key and digest == stamp["row"]["sha256"]
        times_s = np.load(folder / f"{video}.times.npy", allow_pickle=False)
        return stamp["row"] if intact and np.array_equal(times_s, ends_s) else None
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def failed_row(video: str, reason: str) -> Row:
    """Return the row of a video without features."""
    row: Row = dict.fromkeys(INDEX)
    return row | {"video": video, "status": "failed", "reason": reason, "rows": 0, "dim": 0}
