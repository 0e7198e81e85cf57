"""What the fusions of a study are: full name, idea and source, from their docstrings."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from avfusion.config.study import Study
from avfusion.evaluation.references import __doc__ as REFERENCES
from avfusion.registry import fusions

PARAGRAPH = r"^{}\s+(.*?)(?=^\S|^$|\Z)"


class Described(NamedTuple):
    """A fusion of a study in words."""

    name: str
    title: str
    idea: str
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
    return _paragraph(kind, "Source")


def idea(kind: str) -> str:
    """Return what a class of fusions does, in a sentence or two; "" if its docstrings do not say.

    >>> idea("late")
    'Modalities are compared only after each one has made its own prediction.'
    """
    return _paragraph(kind, "Idea").replace("*", "").replace("`", "")


def described(study: Study) -> list[Described]:
    """Return every fusion of a study in words, in the study's order."""
    rows = []
    for name in study.fusions:
        kind, options = study.fusion_class(name), study.fusion_options(name)
        listed = ", ".join(f"{key} {value}" for key, value in options.items())
        words = (title(kind), idea(kind), source(kind)) if fusions.known(kind) else ("", "", "")
        rows.append(Described(name, *words, listed))
    return rows


def references(names: Iterable[str]) -> dict[str, str]:
    """Return what some references predict, from the table in the docstring of their module.

    >>> references(["average"])
    {'average': 'mean of the single modalities'}
    """
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|$", REFERENCES or "", flags=re.MULTILINE)
    wanted = set(names)
    return {name: words.replace("`", "") for name, words in rows if name in wanted}


def _paragraph(kind: str, label: str) -> str:
    """Return a labelled paragraph of the docstring of the class, or else of its file."""
    pattern = re.compile(PARAGRAPH.format(label), flags=re.DOTALL | re.MULTILINE)
    matches = [m for text in fusions.docstrings(kind) if (m := pattern.search(text))]
    return _joined(matches[0][1]) if matches else ""


def _joined(text: str) -> str:
    return " ".join(text.split())
