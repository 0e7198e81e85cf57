"""Remove the folders of a machine from text that is shared."""

import re
from pathlib import Path
from typing import Any

_FOLDER = re.compile(r"(?<![\w.~:/-])(?:[A-Za-z]:[\\/]|~/|/)(?:[^\s/\\`'\"<>|,;:]+[\\/])+")


def without_paths(text: str) -> str:
    """Replace the folder of each absolute path by an ellipsis; file names stay.

    >>> without_paths("see /home/ann/study/a.mp4 and runs/jca/seed0, at a rate of 25/s")
    'see …/a.mp4 and runs/jca/seed0, at a rate of 25/s'
    """
    return _FOLDER.sub("…/", text)


def plain(value: Any) -> Any:
    """Apply `without_paths` to every text in lists and mappings."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return without_paths(value) if isinstance(value, str) else value


def below(root: str | Path, text: str) -> str:
    """Strip the absolute root of a corpus from a message.

    >>> below("/disks/ann/recola", "/disks/ann/recola/video/a.mp4: no frame can be decoded.")
    'video/a.mp4: no frame can be decoded.'
    """
    return text.replace(f"{root}/", "") if Path(root).is_absolute() else text
