"""Recognise the release of RECOLA in a folder, and find its parts."""

import re
from dataclasses import dataclass, field

from avfusion.corpora.tree.tree import Tree

DIMENSIONS = ("valence", "arousal")


RECORDING = {"avec": re.compile(r"(train|dev|test)_(\d+)"), "general": re.compile(r"P\d+")}


@dataclass(frozen=True)
class Release:
    """Folders of a release below the root, in order of preference; `{}` is the dimension."""

    name: str
    kind: str  # how recordings are named: a key of RECORDING
    recordings: int
    video: tuple[str, ...]
    audio: tuple[str, ...]
    gold: tuple[str, ...]
    raters: tuple[str, ...]


RELEASES = {
    "avec2016": Release(
        "avec2016", "avec", 27, ("recordings_video",), ("recordings_audio",),
        ("ratings_gold_standard/{}",), ("ratings_individual/{}",),
    ),
    "avec2018": Release(
        "avec2018", "avec", 27, ("recordings_video",), ("recordings_audio",),
        ("labels/gs_1/{}",), ("labels/individual/{}",),
    ),
    "general": Release(
        "general", "general", 23, ("RECOLA-Video-recordings", "Video_recordings_MP4"),
        ("RECOLA-Audio-recordings",), (),
        (
            "RECOLA-Annotation/emotional_behaviour/{}",
            "Ratings_affective_behaviour_CCC_centred/{}",
        ),
    ),
}  # fmt: skip


@dataclass
class Parts:
    """Locations of the files, relative to the root; gold and raters are grouped by dimension."""

    video: dict[str, str] = field(default_factory=dict)  # recording -> path
    audio: dict[str, str] = field(default_factory=dict)
    gold: dict[str, dict[str, str]] = field(default_factory=dict)
    raters: dict[str, dict[str, str]] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)  # paths that do not name a recording

    @property
    def recordings(self) -> list[str]:
        """Every recording that has any file, in natural order."""
        names = {*self.video, *self.audio}
        for table in (*self.gold.values(), *self.raters.values()):
            names |= table.keys()
        return sorted(names, key=_natural)


def detect(tree: Tree) -> str:
    """Return the release whose folders are present, or an empty string."""
    marks = {
        "avec2018": ("labels/gs_1/",),
        "avec2016": ("ratings_gold_standard/", "ratings_individual/"),
        "general": ("recola-annotation/", "ratings_affective_behaviour_ccc_centred/"),
    }
    folders = [f"{path.lower()}/" for path in tree.folders]
    for name, starts in marks.items():
        if any(folder.startswith(starts) for folder in folders):
            return name
    return ""


def find_parts(tree: Tree, release: Release) -> Parts:
    """Return the files of each recording, from the first existing folder of each kind."""
    parts = Parts()
    parts.video = _files(tree, release, release.video, (".mp4", ".avi", ".mkv"), parts)
    parts.audio = _files(tree, release, release.audio, (".wav",), parts)
    for dimension in DIMENSIONS:
        gold = tuple(folder.format(dimension) for folder in release.gold)
        raters = tuple(folder.format(dimension) for folder in release.raters)
        parts.gold[dimension] = _files(tree, release, gold, (".arff", ".csv"), parts)
        parts.raters[dimension] = _files(tree, release, raters, (".csv",), parts)
    return parts


def _files(
    tree: Tree, release: Release, folders: tuple[str, ...], endings: tuple[str, ...], parts: Parts
) -> dict[str, str]:
    """Return recording -> path; add files that do not name a recording to `parts.strange`."""
    by_name = {path.lower(): folder for path, folder in tree.folders.items()}
    folder = next((by_name[f.lower()] for f in folders if f.lower() in by_name), None)
    files: dict[str, str] = {}
    for path in folder.paths if folder else ():
        stem, dot, ending = path.rpartition("/")[2].rpartition(".")
        if f"{dot}{ending}".lower() not in endings:
            continue
        if not RECORDING[release.kind].fullmatch(stem):
            parts.strange.append(path)
        elif stem not in files or endings.index(f".{ending.lower()}") == 0:
            files[stem] = path  # ARFF takes precedence over a conversion next to it
    return files


def _natural(name: str) -> tuple[str, int]:
    """Return the sort key of a name that ends in a number."""
    head, _, number = re.sub(r"(\d+)$", r" \1", name).rpartition(" ")
    return head, int(number)
