"""Share identical feature files between corpus entries with hard links."""

import contextlib
import json
from glob import escape
from pathlib import Path

from avfusion.io.atomic import second_name
from avfusion.media.reuse import _GONE, _others


def share_features(folder: Path, video: str, key: str) -> bool:
    """Features of `video` below another corpus, under this key, get a name in `folder` too.

    The caller checks what is there then, as it would its own.
    """
    for stamp in _others(folder.parent, f"{folder.name}/{escape(video)}.json"):
        with contextlib.suppress(*_GONE):
            if json.loads(stamp.read_text()).get("key") == key:
                folder.mkdir(parents=True, exist_ok=True)
                for ending in (".npy", ".times.npy", ".json"):
                    second_name(stamp.with_name(video + ending), folder / (video + ending))
                return True
    return False
