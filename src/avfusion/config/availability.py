"""Which corpora of a study lie on this machine, and why one that does not has no result."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avfusion.layout import Layout
from avfusion.registry import corpora


@dataclass(frozen=True)
class Absence:
    """Entries of `corpora` that lack one and the same folder, so that it is said once."""

    names: tuple[str, ...]
    why: str

    @property
    def title(self) -> str:
        """The entries' names, shortened where they are many.

        >>> Absence(("fold1", "fold2", "fold3"), "").title
        'fold1 … fold3'
        """
        few = len(self.names) < 3
        return " and ".join(self.names) if few else f"{self.names[0]} … {self.names[-1]}"


def holds_files(root: Path) -> bool:
    """Whether a folder is there and holds anything but hidden files."""
    return root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir())


def not_here(study: dict[str, Any], layout: Layout) -> dict[str, str]:
    """Entry -> why it cannot be read here, of the corpora that avf cannot make.

    study: `Study.model_dump()`. A corpus verified here before counts as here, though its folder be
    away for now: what was made of it is still current.
    """
    found = {}
    for name, own in study["corpora"].items():
        kind, root = own.get("is") or name, Path(own["root"])
        made = corpora.known(kind) and corpora.defines(kind, "make")
        if not (made or holds_files(root) or layout.manifest(name).is_file()):
            found[name] = f"nothing at {root} (`avf obtain {kind}`)"
    return found


def absences(names: Iterable[str], study: dict[str, Any], layout: Layout) -> list[Absence]:
    """These entries by the reason why each was not run; those of one absent folder together."""
    away, together = not_here(study, layout), {}
    for name in names:
        unscored = f"no scores of {name} (`avf score {name}`)"
        together.setdefault(away.get(name, unscored), []).append(name)
    return [Absence(tuple(entries), why) for why, entries in together.items()]
