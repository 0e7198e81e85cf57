"""Find the films, sounds and tables of CREMA-D, by clip."""

from dataclasses import dataclass, field

from avfusion.corpora.crema_d.votes import clip_of
from avfusion.corpora.tree.tree import Tree

ACTORS = range(1001, 1092)


@dataclass
class Parts:
    """Clip -> path of films and wavs, and name -> path of tables, relative to the root."""

    films: dict[str, str] = field(default_factory=dict)
    wavs: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)  # names that are no clip
    twice: list[str] = field(default_factory=list)  # further files of the same clip
    unfinished: list[str] = field(default_factory=list)  # downloads that were broken off
    base: str = ""  # folder that contains VideoFlash, with a slash if there is one


_TABLES = {"tabulatedVotes.csv", "summaryTable.csv", "VideoDemographics.csv"}


def find_parts(tree: Tree) -> Parts:
    """Return the files in VideoFlash, AudioWAV and processedResults, at any depth of the tree."""
    parts = Parts()
    for folder_path, folder in tree.folders.items():
        head, _, name = folder_path.rpartition("/")
        table, suffix = {"VideoFlash": (parts.films, ".flv"), "AudioWAV": (parts.wavs, ".wav")}.get(
            name, ({}, "")
        )
        for path in folder.paths:
            file = path.rpartition("/")[2]
            if file.endswith(".part"):
                parts.unfinished.append(path)
            elif file in _TABLES:
                parts.tables.setdefault(file, path)
            elif suffix and file.lower().endswith(suffix):
                _put(parts, table, path, file[: -len(suffix)], link=folder.source is not None)
        if name == "VideoFlash" and not parts.base:
            parts.base = f"{head}/" if head else ""
    return parts


def _put(parts: Parts, table: dict[str, str], path: str, stem: str, *, link: bool) -> None:
    """Add a film or wav to its table, or to `strange` or `twice`."""
    clip = clip_of(stem)
    if clip is None or clip.actor not in ACTORS:
        parts.strange.append(path)
    elif stem == _stem(table.get(clip.name, "")):
        parts.twice += [] if link else [path]
    elif stem == clip.name or clip.name not in table:  # `_X` only in place of `_XX`
        table[clip.name] = path


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]
