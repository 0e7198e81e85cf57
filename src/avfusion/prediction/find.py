"""Find the clips that a call names, and give each of them a name of its own."""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from avfusion.errors import AvfError
from avfusion.io.endings import SOUNDS, VIDEOS, ending
from avfusion.prediction.formats.names import stem_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """A file to predict, and the name of its predictions within the output folder.

    Attributes
    ----------
    path
        The file.
    below
        Folder within the output folder.
    stem
        Name of the files without their ending; by default that of the clip.
    """

    path: Path
    below: Path = Path()
    stem: str = ""

    @property
    def name(self) -> str:
        """Name of the files of its predictions, without their ending."""
        return self.stem or stem_of(self.path.name)


def find(inputs: Iterable[str], listed: Iterable[str] = ()) -> list[Clip]:
    """Return the clips that inputs name.

    Parameters
    ----------
    inputs
        Files, and folders, which are searched for media files with all their folders. Hidden files
        are left out. `-` stands for `listed`.
    listed
        One path per line.

    Raises
    ------
    AvfError
        If a folder has no media file.
    """
    clips: list[Clip] = []
    for text in inputs:
        names = [line.rstrip("\n") for line in listed] if text == "-" else [text]
        for name in filter(None, names):
            path = Path(name)
            clips += _within(path) if path.is_dir() else [Clip(path)]
    return _named_apart(list({clip.path.absolute(): clip for clip in clips}.values()))


def _named_apart(clips: Sequence[Clip]) -> list[Clip]:
    """Give clips names of their own where several would have the same.

    They keep their endings, `talk.mp4` and `talk.wav`. Those that are still the same, from folders
    that were named one by one, get folders below the deepest one that they share.
    """
    alike = _alike(clips)
    clips = [replace(c, stem=stem_of(f"{c.path.name}.x")) if c in alike else c for c in clips]
    alike = _alike(clips)
    if not alike:
        return clips
    shared = os.path.commonpath([clip.path.absolute().parent for clip in alike])
    return [
        replace(c, below=c.path.absolute().parent.relative_to(shared)) if c in alike else c
        for c in clips
    ]


def _alike(clips: Iterable[Clip]) -> set[Clip]:
    """Return the clips whose predictions would have the name of another's."""
    by_name: dict[tuple[Path, str], list[Clip]] = {}
    for clip in clips:
        by_name.setdefault((clip.below, clip.name.casefold()), []).append(clip)
    return {clip for group in by_name.values() if len(group) > 1 for clip in group}


def _within(folder: Path) -> list[Clip]:
    clips, others = [], 0
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        if ending(path.name) in VIDEOS | SOUNDS:
            clips.append(Clip(path, path.relative_to(folder).parent))
        else:
            others += 1
    if others:
        log.info("%s: %d files are no media by their endings; left out", folder, others)
    if not clips:
        raise AvfError(f"{folder}: no media file in it ({others} other files). Name another one.")
    return clips
