"""Decide which links of a corpus are followed, so that nothing else on the machine is read."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

Identity = tuple[int, int]
"""Device and inode, which identify a folder whatever its name."""

MOST_VISITS = 8
"""How often a folder outside of the corpus is read, if several links lead to it."""


@dataclass
class Links:
    """The links of a corpus.

    Parameters
    ----------
    root
        The folder of the corpus, without links in its path.
    allowed
        Whether links that lead out of the root are followed.
    refused
        Relative path -> target; gets the links that lead out and are not followed.
    """

    root: Path
    allowed: bool
    refused: dict[str, str]
    _visits: Counter[Identity] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def followed(self, entry: "os.DirEntry[str]", path: str) -> bool:
        """Return whether a link is followed; `path` is relative to the root.

        A link to a file of the corpus is. One to a folder of the corpus is not, because the folder
        is read under its own name.
        """
        target = Path(os.path.realpath(entry.path))
        if target.is_relative_to(self.root):
            return not entry.is_dir()
        if not self.allowed:
            self.refused[path] = str(target)
            return False
        if not entry.is_dir():
            return True
        state = entry.stat()
        with self._lock:
            self._visits[state.st_dev, state.st_ino] += 1
            return self._visits[state.st_dev, state.st_ino] <= MOST_VISITS
