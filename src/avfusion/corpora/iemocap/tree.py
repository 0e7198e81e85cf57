"""Find the files of an IEMOCAP release, per dialog and per turn."""

import re
from dataclasses import dataclass, field
from functools import partial

from avfusion.corpora.iemocap.evaluation import DIALOG
from avfusion.corpora.tree.tree import Tree

_PLACE = re.compile(r"(?:.*/)?Session(\d+)/(dialog|sentences)/(.+)")


_DIALOGS = {  # folder below dialog/ -> (part, ending)
    "EmoEvaluation": ("evaluations", ".txt"),
    "transcriptions": ("transcripts", ".txt"),
    "avi/DivX": ("films", ".avi"),
    "wav": ("dialog_wavs", ".wav"),
}


_TURNS = {"wav": ("wavs", ".wav"), "ForcedAlignment": ("alignments", ".wdseg")}


@dataclass
class Parts:
    """Dialog -> path, or turn -> path for wavs and alignments; paths are relative to the root."""

    evaluations: dict[str, str] = field(default_factory=dict)
    transcripts: dict[str, str] = field(default_factory=dict)
    films: dict[str, str] = field(default_factory=dict)
    dialog_wavs: dict[str, str] = field(default_factory=dict)
    wavs: dict[str, str] = field(default_factory=dict)
    alignments: dict[str, str] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)  # names that match no dialog of the session
    twice: list[str] = field(default_factory=list)  # further files of the same dialog or turn


def find_parts(tree: Tree) -> Parts:
    """Return the files below the folders `Session1` … `Session5`, at any depth of the tree."""
    parts = Parts()
    for path, folder in tree.folders.items():
        place = _PLACE.fullmatch(path)
        if place is None:
            continue
        put = partial(_put, parts, link=folder.source is not None)
        session, kind, below = place.groups()
        head, _, dialog = below.partition("/")
        if kind == "dialog" and below in _DIALOGS:
            part, ending = _DIALOGS[below]
            for file in folder.paths:
                stem = file.rpartition("/")[2]
                put(part, file, (stem, ending), session)
        elif kind == "sentences" and head in _TURNS and dialog:
            part, ending = _TURNS[head]
            for file in folder.paths:
                put(part, file, (file.rpartition("/")[2], ending), session, dialog)
    return parts


def _put(
    parts: Parts,
    part: str,
    path: str,
    named: tuple[str, str],
    session: str,
    dialog: str = "",
    *,
    link: bool,
) -> None:
    """Add a file to a part, or to `strange` or `twice`; ignore files with another ending."""
    name, ending = named
    if not name.lower().endswith(ending):
        return  # .phseg and .syseg next to an alignment, .lab
    stem = name[: -len(ending)]
    match = DIALOG.fullmatch(stem.rpartition("_")[0] if dialog else stem)
    if match is None or match[1] != session or dialog not in ("", match[0]):
        parts.strange.append(path)
        return
    table = getattr(parts, part)
    if stem in table and not link:
        parts.twice.append(path)
    table.setdefault(stem, path)
