"""A record that another entry of the study holds of the same video, taken over instead of made.

The folds of one split are entries of `corpora` over one tree: its videos are read for the first.
"""

import json
import os
import shutil
from glob import escape
from pathlib import Path
from typing import Any


def finished(folder: Path, key: str) -> dict[str, Any] | None:
    """The meta of the record in `folder`, if it is whole and of this key."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except (OSError, ValueError):
        return None
    return meta if meta.get("key") == key else None


def taken_over(folder: Path, key: str) -> dict[str, Any] | None:
    """Link a record of this key from beside `media/<corpus>/<video>`; its meta, None without one.

    Links, so that folds cost no room; where the disk knows none, copies.
    """
    corpus, video = folder.parent, folder.name
    for path in sorted(corpus.parent.glob(f"*/{escape(video)}/meta.json")):
        meta = None if path.parent == folder else finished(path.parent, key)
        if meta is None:
            continue
        half = folder.with_name(f"{video}.half{os.getpid()}")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(path.parent, half, copy_function=_link)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(half, folder)
        return meta
    return None


def _link(source: str, to: str) -> None:
    try:
        os.link(source, to)
    except OSError:
        shutil.copyfile(source, to)
