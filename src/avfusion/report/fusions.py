"""What the fusions of a study are: full name and source, from their docstrings."""

import re
from typing import NamedTuple

from avfusion.config.study import Study
from avfusion.registry import fusions

SOURCE = re.compile(r"^Source\s+(.*?)(?=^\S|^$)", flags=re.DOTALL | re.MULTILINE)


class Described(NamedTuple):
    """A fusion of a study in words."""

    name: str
    title: str
    source: str
    options: str


def title(kind: str) -> str:
    """Return the full name of a class of fusions.

    >>> title("concat")
    'Feature concatenation, the baseline for attention-based fusion'
    """
    of_class, of_file = fusions.docstrings(kind)
    path = fusions.source(kind)
    shared = [name for name in fusions.names() if fusions.source(name) == path]
    text = of_class if len(shared) > 1 or not of_file else of_file
    return _joined(text.split("\n\n")[0]).rstrip(".")


def source(kind: str) -> str:
    """Return the publication of a class of fusions; "" if its docstrings name none."""
    matches = [m for text in fusions.docstrings(kind) if (m := SOURCE.search(text))]
    return _joined(matches[0][1]) if matches else ""


def described(study: Study) -> list[Described]:
    """Return every fusion of a study in words, in the study's order."""
    rows = []
    for name in study.fusions:
        kind, options = study.fusion_class(name), study.fusion_options(name)
        listed = ", ".join(f"{key} {value}" for key, value in options.items())
        if fusions.known(kind):
            rows.append(Described(name, title(kind), source(kind), listed))
    return rows


def _joined(text: str) -> str:
    return " ".join(text.split())
