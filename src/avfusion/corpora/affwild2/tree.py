"""Finds the parts of an Aff-Wild2 folder, however its zips were unpacked; opens text files alone.

Raw videos are known by their ending, annotations by the names of their two folders, faces by the
folder `cropped_aligned…` that a trial's images lie in (two such siblings count as one).
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from avfusion.corpora.affwild2.editions import Edition
from avfusion.corpora.tree.tree import Folder, Tree
from avfusion.errors import CorpusError

VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm")  # in the order in which they are preferred


_TRAIN = {"trainset", "trainingset", "train"}


_VALIDATION = {"validationset", "validation", "validate", "val"}


_TRACK = {"vaestimationchallenge", "vaset", "va", "valencearousalestimationchallenge"}


@dataclass(frozen=True)
class Parts:
    """Where everything lies; all paths relative to the root."""

    raw: dict[str, list[str]]  # raw video's name -> its files, more than one if it lies twice
    annotations: dict[str, dict[str, str]]  # partition -> trial -> text file
    test_list: str | None
    template: str | None
    faces: dict[str, list[Folder]]  # trial -> folders of aligned images


def raw_name(trial: str) -> str:
    """The raw video of a trial: a final `_left` or `_right` names the person, nothing else does.

    >>> raw_name("105_left"), raw_name("10-60-1280x720_right"), raw_name("video5_2")
    ('105', '10-60-1280x720', 'video5_2')
    """
    return re.sub(r"_(left|right)$", "", trial)


def side(trial: str, trials: set[str]) -> str | None:
    """Which of two persons a trial follows; the plain name is the one its sibling is not.

    >>> side("10-60", {"10-60", "10-60_right"}), side("105_right", set()), side("105", {"105"})
    ('left', 'right', None)
    """
    for own, other in (("left", "right"), ("right", "left")):
        if trial.endswith(f"_{own}") or f"{trial}_{other}" in trials:
            return own
    return None


def find_parts(tree: Tree, edition: Edition | None, own: dict[str, str]) -> Parts:
    """All parts; `own` are paths that the config gives. Refuses what it cannot choose between."""
    place = own.get("annotations") or _annotation_folder(tree, edition)
    return Parts(
        raw=_raw(tree),
        annotations=_annotations(tree, place),
        test_list=own.get("test_list") or _text(tree, "test_list", "valencearousal", "testset"),
        template=own.get("template") or _text(tree, "template", "va", "testset", "example"),
        faces=_faces(tree),
    )


def read_list(path: Path) -> list[str]:
    """Names of a test list, one a line."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [line.strip() for line in text.split("\n") if line.strip()]


def read_template(path: Path) -> list[tuple[str, int]]:
    """Rows of a submission template as (trial, image); what follows the first comma is ignored."""
    rows = []
    lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    for number, line in enumerate(lines, start=1):
        first = line.split(",")[0].strip()
        if not line.strip() or (number == 1 and first.lower() == "image_location"):
            continue
        found = re.fullmatch(r"(.+)/(\d+)\.jpg", first)
        if not found:
            raise CorpusError(f"{path}:{number}: expected `trial/00001.jpg,…`, found {line!r}.")
        rows.append((found[1], int(found[2])))
    return rows


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


def _raw(tree: Tree) -> dict[str, list[str]]:
    found = defaultdict(list)
    for folder in tree.folders.values():
        if _is_faces(PurePosixPath(folder.path).parent.name):
            continue  # millions of images and no video
        for path in folder.paths:
            place = PurePosixPath(path)
            if place.suffix.lower() in VIDEOS:
                found[place.stem].append(path)
    order = {ending: rank for rank, ending in enumerate(VIDEOS)}
    return {
        name: sorted(paths, key=lambda p: (order[PurePosixPath(p).suffix.lower()], p))
        for name, paths in sorted(found.items())
    }


def _annotation_folder(tree: Tree, edition: Edition | None) -> str:
    """The folder that holds the train and the validation folder."""
    found = [
        str(PurePosixPath(name).parent)
        for name in tree.folders
        if _plain(PurePosixPath(name).name) in _TRAIN
        and _plain(PurePosixPath(name).parent.name) in _TRACK
    ]
    if len(found) > 1 and edition:
        found = [p for p in found if any(w in p.lower() for w in edition.words)] or found
    if len(found) == 1:
        return found[0]
    said = f"several: {', '.join(found)}" if found else "none"
    raise CorpusError(
        f"{tree.root}: expected one folder VA_Estimation_Challenge with Train_Set and "
        f"Validation_Set, found {said}. Name it in options: annotations."
    )


def _annotations(tree: Tree, place: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"train": {}, "validation": {}}
    for folder in tree.folders.values():
        where = PurePosixPath(folder.path)
        if str(where.parent) != place.strip("/"):
            continue
        name = _plain(where.name)
        part = "train" if name in _TRAIN else "validation" if name in _VALIDATION else None
        if part:
            texts = [n for n in folder.names if n.endswith(".txt")]
            found[part] |= {n[:-4]: f"{folder.path}/{n}" for n in texts}
    return found


def _text(tree: Tree, option: str, *words: str) -> str | None:
    """The one .txt file whose name holds all words."""
    found = []
    for folder in tree.folders.values():
        if _is_faces(PurePosixPath(folder.path).parent.name):
            continue
        texts = [p for p in folder.paths if p.endswith(".txt")]
        found += [p for p in texts if all(w in _plain(PurePosixPath(p).name) for w in words)]
    if len(found) > 1:
        raise CorpusError(
            f"{tree.root}: which is the {option}: {', '.join(found)}? Name it in options: {option}."
        )
    return found[0] if found else None


def _faces(tree: Tree) -> dict[str, list[Folder]]:
    found = defaultdict(list)
    for folder in tree.folders.values():
        where = PurePosixPath(folder.path)
        if _plain(where.parent.name).startswith("croppedaligned") and len(folder.sizes):
            found[where.name].append(folder)
    return dict(found)


def _is_faces(name: str) -> bool:
    return _plain(name).startswith("cropped")
