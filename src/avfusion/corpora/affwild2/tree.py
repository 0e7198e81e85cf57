"""Find the parts of an Aff-Wild2 folder, independent of how its zip files were unpacked.

Raw videos are recognised by their extension, annotations by the names of their two folders, and
faces by the folder `cropped_aligned…` that contains a folder of images per trial. Two such sibling
folders are treated as one. Only text files are opened.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from avfusion.corpora.affwild2.editions import Edition
from avfusion.corpora.tree.tree import Folder, Tree
from avfusion.errors import CorpusError

VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm")  # in order of preference


_TRAIN = {"trainset", "trainingset", "train"}


_VALIDATION = {"validationset", "validation", "validate", "val"}


_TRACK = {"vaestimationchallenge", "vaset", "va", "valencearousalestimationchallenge"}


@dataclass(frozen=True)
class Parts:
    """Locations of the parts; all paths are relative to the root."""

    raw: dict[str, list[str]]  # raw video's name -> its files; several if there are copies
    annotations: dict[str, dict[str, str]]  # partition -> trial -> text file
    test_list: str | None
    template: str | None
    faces: dict[str, list[Folder]]  # trial -> folders of aligned images


def raw_name(trial: str) -> str:
    """Return the raw video of a trial; only a final `_left` or `_right` names a person.

    >>> raw_name("105_left"), raw_name("10-60-1280x720_right"), raw_name("video5_2")
    ('105', '10-60-1280x720', 'video5_2')
    """
    return re.sub(r"_(left|right)$", "", trial)


def side(trial: str, trials: set[str]) -> str | None:
    """Return which of two persons a trial annotates, or None if there is one person.

    A trial without suffix is on the side that its sibling in `trials` does not name.

    >>> side("10-60", {"10-60", "10-60_right"}), side("105_right", set()), side("105", {"105"})
    ('left', 'right', None)
    """
    for this, other in (("left", "right"), ("right", "left")):
        if trial.endswith(f"_{this}") or f"{trial}_{other}" in trials:
            return this
    return None


def find_parts(tree: Tree, edition: Edition | None, places: Mapping[str, str]) -> Parts:
    """Return the parts of a tree; `places` are paths given in the config and take precedence.

    Raises `CorpusError` if a part is missing or there are several candidates for it.
    """
    place = places.get("annotations") or _annotation_folder(tree, edition)
    return Parts(
        raw=_raw(tree),
        annotations=_annotations(tree, place),
        test_list=places.get("test_list") or _text(tree, "test_list", "valencearousal", "testset"),
        template=places.get("template") or _text(tree, "template", "va", "testset", "example"),
        faces=_faces(tree),
    )


def read_list(path: Path) -> list[str]:
    """Return the names of a test list, one per line."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [line.strip() for line in text.split("\n") if line.strip()]


def read_template(path: Path) -> list[tuple[str, int]]:
    """Return the rows of a submission template as (trial, image number).

    Everything after the first comma is ignored. Raises `CorpusError` for a row without an image.
    """
    rows = []
    lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    for number, line in enumerate(lines, start=1):
        first = line.split(",")[0].strip()
        if not line.strip() or (number == 1 and first.lower() == "image_location"):
            continue
        match = re.fullmatch(r"(.+)/(\d+)\.jpg", first)
        if not match:
            raise CorpusError(f"{path}:{number}: expected `trial/00001.jpg,…`, found {line!r}.")
        rows.append((match[1], int(match[2])))
    return rows


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


def _raw(tree: Tree) -> dict[str, list[str]]:
    files = defaultdict(list)
    for folder in tree.folders.values():
        if _is_faces(PurePosixPath(folder.path).parent.name):
            continue  # millions of images and no video
        for path in folder.paths:
            place = PurePosixPath(path)
            if place.suffix.lower() in VIDEOS and _is_new(folder, place.stem in files):
                files[place.stem].append(path)
    order = {ending: rank for rank, ending in enumerate(VIDEOS)}
    return {
        name: sorted(paths, key=lambda p: (order[PurePosixPath(p).suffix.lower()], p))
        for name, paths in sorted(files.items())
    }


def _annotation_folder(tree: Tree, edition: Edition | None) -> str:
    """Return the folder that contains the train and the validation folder."""
    folders: list[str] = []
    for name, folder in tree.folders.items():
        place = PurePosixPath(name)
        if _plain(place.name) in _TRAIN and _plain(place.parent.name) in _TRACK:
            folders += [str(place.parent)] if _is_new(folder, bool(folders)) else []
    if len(folders) > 1 and edition:
        folders = [p for p in folders if any(w in p.lower() for w in edition.words)] or folders
    if len(folders) == 1:
        return folders[0]
    present = f"several: {', '.join(folders)}" if folders else "none"
    raise CorpusError(
        f"{tree.root}: expected one folder VA_Estimation_Challenge with Train_Set and "
        f"Validation_Set, found {present}. Name it in options: annotations."
    )


def _annotations(tree: Tree, place: str) -> dict[str, dict[str, str]]:
    files: dict[str, dict[str, str]] = {"train": {}, "validation": {}}
    for folder in tree.folders.values():
        where = PurePosixPath(folder.path)
        if str(where.parent) != place.strip("/"):
            continue
        name = _plain(where.name)
        part = "train" if name in _TRAIN else "validation" if name in _VALIDATION else None
        if part:
            texts = [n for n in folder.names if n.endswith(".txt")]
            files[part] |= {n[:-4]: f"{folder.path}/{n}" for n in texts}
    return files


def _text(tree: Tree, option: str, *words: str) -> str | None:
    """Return the only .txt file whose name contains all words, or None."""
    files: list[str] = []
    for folder in tree.folders.values():
        if _is_faces(PurePosixPath(folder.path).parent.name):
            continue
        texts = [p for p in folder.paths if p.endswith(".txt")]
        texts = [p for p in texts if all(w in _plain(PurePosixPath(p).name) for w in words)]
        files += texts if _is_new(folder, bool(files)) else []
    if len(files) > 1:
        raise CorpusError(
            f"{tree.root}: found {len(files)} candidates for the {option}: {', '.join(files)}. "
            f"Name one in options: {option}."
        )
    return files[0] if files else None


def _faces(tree: Tree) -> dict[str, list[Folder]]:
    folders = defaultdict(list)
    for folder in tree.folders.values():
        where = PurePosixPath(folder.path)
        faces = _plain(where.parent.name).startswith("croppedaligned") and len(folder.sizes)
        if faces and _is_new(folder, where.name in folders):
            folders[where.name].append(folder)
    return dict(folders)


def _is_new(folder: Folder, known: bool) -> bool:
    """Return whether files of a folder are no other name, through a link, of what is known."""
    return folder.source is None or not known


def _is_faces(name: str) -> bool:
    return _plain(name).startswith("cropped")
