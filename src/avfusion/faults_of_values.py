"""What is wrong with a study's lists and folders, where each value alone would do."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avfusion.settings import Study


def faults(study: "Study") -> Iterator[str]:
    """A sentence a fault: values that stand twice, lists left empty, folders within each other."""
    lists = {"seeds": study.seeds, "grid_seeds": study.grid_seeds, "protocols": study.protocols}
    lists |= {f"features.{name}": given for name, given in study.features.model_dump().items()}
    for path, given in lists.items():
        twice = sorted({value for value in given if given.count(value) > 1})
        if twice:
            yield f"{path}: {twice[0]!r} stands twice and would count twice. Remove one."
    for path in ("seeds", "grid_seeds"):
        if min(lists[path]) < 0:
            yield f"{path}: found {min(lists[path])}; a seed is 0 or more."
    for path in ("features.audio", "features.video"):
        if not lists[path]:
            yield f"{path} names no encoder; name one, or leave the key out for the default."
    yield from _folders(study)


def _folders(study: "Study") -> Iterator[str]:
    """`make clean` empties the one, and the other is only read: neither lies in the other."""
    places = {"results": study.results}
    places |= {f"corpora.{name}.root": own.root for name, own in study.corpora.items()}
    empty = [path for path, place in places.items() if not place.strip()]
    yield from (f"{path} is empty. Name a folder." for path in empty)
    if empty:
        return
    whole = {path: Path(os.path.abspath(place)) for path, place in places.items()}
    results = whole.pop("results")
    for path, root in whole.items():
        if results.is_relative_to(root) or root.is_relative_to(results):
            yield f"{path} ({root}) and results ({results}) overlap. Take another folder for one."
