"""Where a corpus lies on this machine, kept out of what is handed around."""

from pathlib import Path


def below(root: str | Path, text: str) -> str:
    """The text with paths from a corpus' folder on; a folder that is relative tells nothing.

    >>> below("/disks/ann/recola", "/disks/ann/recola/video/a.mp4: no frame can be decoded.")
    'video/a.mp4: no frame can be decoded.'
    """
    return text.replace(f"{root}/", "") if Path(root).is_absolute() else text
