"""Read the file names of RAVDESS, and find its clips below a root.

A name has seven numbers: modality, vocal channel, emotion, intensity, statement, repetition and
actor, such as `01-01-06-01-02-01-12.mp4` in the folder `Actor_12`.
"""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from avfusion.corpora.tree.tree import Tree
from avfusion.io.endings import SOUNDS, VIDEOS, ending

BOTH, PICTURES, SOUND = 1, 2, 3
"""Modalities: sound and pictures, pictures only, sound only."""


SPEECH, SONG = 1, 2
"""Vocal channels."""


CHANNELS = {"speech": (SPEECH,), "song": (SONG,), "both": (SPEECH, SONG)}
"""Option `channel` -> its vocal channels."""


EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""Emotions in the order of their numbers, from 1."""


SUNG = EMOTIONS[:6]


STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}


ACTORS = tuple(range(1, 25))


SILENT = 18
"""The actor who has no song clips."""


_PARTS = (
    ("modality", 3), ("channel", 2), ("emotion", 8), ("intensity", 2), ("statement", 2),
    ("repetition", 2), ("actor", 24),
)  # fmt: skip
_NAME = re.compile(r"\d\d(?:-\d\d){6}", flags=re.ASCII)
_PLACE = re.compile(r"(?:.*/)?Actor_(\d\d)", flags=re.ASCII)


@dataclass(frozen=True)
class Clip:
    """The numbers of a file name."""

    modality: int
    channel: int
    emotion: int
    intensity: int
    statement: int
    repetition: int
    actor: int

    @property
    def label(self) -> str:
        """The emotion as a word."""
        return EMOTIONS[self.emotion - 1]

    @property
    def name(self) -> str:
        """The file name without its ending."""
        return "-".join(f"{getattr(self, part):02d}" for part, _ in _PARTS)

    @property
    def take(self) -> str:
        """The name without the modality; files of one take have it in common."""
        return self.name[3:]


def read_name(stem: str) -> tuple[Clip | None, str]:
    """Return the numbers of a file name, or None and what is wrong with it.

    >>> read_name("01-01-06-01-02-01-12")[0].label
    'fearful'
    >>> read_name("01-01-09-01-02-01-12")
    (None, 'emotion is 09, not 01 to 08')
    """
    if not _NAME.fullmatch(stem):
        return None, "not seven numbers of two digits"
    numbers = [int(part) for part in stem.split("-")]
    for (part, highest), number in zip(_PARTS, numbers, strict=True):
        if not 1 <= number <= highest:
            return None, f"{part} is {number:02d}, not 01 to {highest:02d}"
    clip = Clip(*numbers)
    if clip.label == "neutral" and clip.intensity == 2:
        return None, "neutral clips have normal intensity only"
    if clip.channel == SONG and clip.label not in SUNG:
        return None, f"song has no {clip.label} clips"
    return clip, ""


@dataclass
class Parts:
    """The files of the corpus; paths are relative to the root."""

    clips: dict[str, str] = field(default_factory=dict)  # name -> path, sound and pictures
    twins: dict[str, str] = field(default_factory=dict)  # name -> path, pictures only
    sounds: dict[str, str] = field(default_factory=dict)  # name -> path, sound only
    strange: list[str] = field(default_factory=list)  # path and what is wrong with its name
    twice: list[str] = field(default_factory=list)  # further files of the same name
    unfinished: list[str] = field(default_factory=list)  # downloads that were broken off


def find_parts(tree: Tree) -> Parts:
    """Return the files of the folders `Actor_01` … `Actor_24`, at any depth of the tree."""
    parts = Parts()
    for folder in tree.folders.values():
        place = _PLACE.fullmatch(folder.path)
        actor = int(place[1]) if place else 0
        for path in folder.paths:
            if ending(path) == ".part":
                parts.unfinished.append(path)
            elif ending(path) in VIDEOS | SOUNDS:
                _put(parts, path, actor, link=folder.source is not None)
    return parts


def _put(parts: Parts, path: str, actor: int, *, link: bool) -> None:
    """Add a file to a part, or to `strange` or `twice`."""
    clip, fault = read_name(PurePosixPath(path).stem)
    if clip is not None:
        fault = _misplaced(clip, path, actor)
    if clip is None or fault:
        parts.strange.append(f"{path}: {fault}")
        return
    table = {BOTH: parts.clips, PICTURES: parts.twins, SOUND: parts.sounds}[clip.modality]
    if clip.name in table and not link:
        parts.twice.append(path)
    table.setdefault(clip.name, path)


def _misplaced(clip: Clip, path: str, actor: int) -> str:
    """Return why a file does not belong where it is; empty if it does."""
    if not actor:
        return "not in a folder Actor_NN"
    if clip.actor != actor:
        return f"actor {clip.actor:02d} in the folder of another"
    expected = ".wav" if clip.modality == SOUND else ".mp4"
    return "" if ending(path) == expected else f"modality {clip.modality:02d} is no {expected} file"
