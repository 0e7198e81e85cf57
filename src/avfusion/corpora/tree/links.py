"""Decide which links of a corpus are followed, so that nothing else on the machine is read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock

from avfusion.corpora.tree.tree import Folder
from avfusion.errors import CorpusError

Identity = tuple[int, int]
"""Device and inode, which identify a folder whatever its name."""

MOST_LINKS = 10_000
"""Most links to folders that are followed; folders that link to each other could state more."""


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
    inside
        Relative path -> relative path of the folder of the corpus that a link leads to.
    """

    root: Path
    allowed: bool
    refused: dict[str, str]
    inside: dict[str, str] = field(default_factory=dict)
    _followed: int = 0
    _lock: Lock = field(default_factory=Lock)

    def followed(self, entry: "os.DirEntry[str]", path: str) -> bool:
        """Return whether a link is followed; `path` is relative to the root.

        A link to a file of the corpus is. One to a folder that is listed under its own name is
        not: `inside` gets it, and `aliases` makes its folders.

        Raises
        ------
        CorpusError
            If there are more than `MOST_LINKS` links to folders.
        """
        target = Path(os.path.realpath(entry.path))
        within = target.is_relative_to(self.root)
        if not within and not self.allowed:
            self.refused[path] = str(target)
            return False
        if not entry.is_dir():
            return True
        with self._lock:
            self._count(path)
        below = target.relative_to(self.root).as_posix() if within else ""
        if not within or not _is_listed(below):
            return True
        self.inside[path] = "" if below == "." else below
        return False

    def aliases(self, folders: dict[str, Folder]) -> tuple[dict[str, Folder], dict[str, str]]:
        """Return the folders behind `inside`, by path, and links that lead to none of `folders`.

        A link to a folder that it is in adds nothing.
        """
        named: dict[str, Folder] = {}
        lost: dict[str, str] = {}
        for link, target in sorted(self.inside.items()):
            if target not in folders:
                lost[link] = f"leads to {target}, which cannot be listed"
                continue
            for path, source in self._below(link, target, (link,), folders):
                named[path] = folders[source].under(path)
        return dict(sorted(named.items())), lost

    def _below(
        self, at: str, target: str, way: tuple[str, ...], folders: dict[str, Folder]
    ) -> Iterator[tuple[str, str]]:
        """Yield path and source of each folder behind a link; `way` are the links up to it."""
        if any(_is_in(link, target) for link in way):
            return
        self._count(at)
        for path in folders:
            if _is_in(path, target):
                yield at + path[len(target) :], path
        for link, further in self.inside.items():
            if _is_in(link, target) and further in folders:
                yield from self._below(at + link[len(target) :], further, (*way, link), folders)

    def _count(self, path: str) -> None:
        self._followed += 1
        if self._followed > MOST_LINKS:
            raise CorpusError(
                f"{self.root / path}: more than {MOST_LINKS:,} links to folders. Remove links "
                f"between folders that link to each other."
            )


def _is_in(path: str, folder: str) -> bool:
    """Return whether a path is a folder or in it; everything is in the root, ""."""
    return not folder or path == folder or path.startswith(f"{folder}/")


def _is_listed(path: str) -> bool:
    """Return whether a folder is listed under its own name: no part is hidden, all are UTF-8."""
    hidden = any(part.startswith(".") and part != "." for part in PurePosixPath(path).parts)
    return not hidden and is_text(path)


def is_text(name: str) -> bool:
    """Return whether a name is UTF-8; others cannot be written into a table."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
