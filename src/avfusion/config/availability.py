"""Find the corpora of a study that are present on this machine, and why the others are not."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from avfusion.config.study import Study
from avfusion.layout import Layout
from avfusion.registry import corpora


@dataclass(frozen=True)
class Absence:
    """Entries of `corpora` that were not run for one reason, such as the same missing folder."""

    names: tuple[str, ...]
    why: str

    @property
    def title(self) -> str:
        """The names of the entries; of three or more only the first and the last.

        >>> Absence(("fold1", "fold2", "fold3"), "").title
        'fold1 … fold3'
        """
        few = len(self.names) < 3
        return " and ".join(self.names) if few else f"{self.names[0]} … {self.names[-1]}"


def holds_files(root: Path) -> bool:
    """Return whether a folder exists and holds anything but hidden files."""
    return root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir())


def not_here(study: Study, layout: Layout) -> dict[str, str]:
    """Return entry -> reason, of the corpora that cannot be read here.

    A corpus that avf can generate or may download is never missing. Neither is one that was
    verified here before, even if its folder is away now: the files made from it are still current.
    """
    reasons = {}
    for name, entry in study.corpora.items():
        kind, root = study.corpus_class(name), Path(entry.root)
        made = corpora.known(kind) and corpora.defines(kind, "make")
        if not (made or entry.download or holds_files(root) or layout.manifest(name).is_file()):
            reasons[name] = f"nothing at {root} (`avf obtain {kind}`)"
    return reasons


def absences(names: Iterable[str], study: Study, layout: Layout) -> list[Absence]:
    """Group entries by the reason why each was not run, such as a folder that several share."""
    missing = not_here(study, layout)
    groups: dict[str, list[str]] = {}
    for name in names:
        unscored = f"no scores of {name} (`avf score {name}`)"
        groups.setdefault(missing.get(name, unscored), []).append(name)
    return [Absence(tuple(entries), why) for why, entries in groups.items()]
