"""Share identical feature files between corpus entries with hard links."""

import contextlib
import json
from glob import escape
from pathlib import Path

from avfusion.io.atomic import link_or_copy
from avfusion.media.reuse import GONE, entries_of_others


def share_features(folder: Path, video: str, key: str) -> bool:
    """Link features of `video` with this key from another corpus into `folder`.

    The caller checks the files as it would its own.

    Returns
    -------
    bool
        Whether there are such features.
    """
    for stamp in entries_of_others(folder.parent, f"{folder.name}/{escape(video)}.json"):
        with contextlib.suppress(*GONE):
            if json.loads(stamp.read_text()).get("key") == key:
                folder.mkdir(parents=True, exist_ok=True)
                for ending in (".npy", ".times.npy", ".json"):
                    link_or_copy(stamp.with_name(video + ending), folder / (video + ending))
                return True
    return False
