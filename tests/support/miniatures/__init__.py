"""Small trees of exactly each licensed corpus' form, with every trap that is known of it.

A miniature is a module here, named after its corpus, with

    OPTIONS            options of the corpus' class that make its small counts the expected ones;
    build(root)        writes the clean tree, traps and all: `avf verify` says nothing against it;
    FAULTS             name -> `Fault`: one edit of that tree, and the check that must name it.

Picture and tone show the rating of their instant, so that a shift by one frame is seen. Nothing in
a miniature comes from the corpus itself. tests/test_miniatures.py plants every fault.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pandas as pd

from avfusion.corpora import verify as _verify
from avfusion.layout import Layout


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a tree, and what `avf verify` must say of it."""

    plant: Callable[[Path], object]  # edits a clean tree in place
    check: str  # the check that must name it
    says: str  # what stands in the check's `found`
    verdict: str = "FAIL"
    also: tuple[str, ...] = ()  # other checks that it rightly disturbs
    options: tuple[tuple[str, object], ...] = ()  # of the corpus, besides the miniature's own


def miniatures() -> dict[str, object]:
    """Corpus -> its module."""
    names = [m.name for m in iter_modules(__path__) if not m.name.startswith("_")]
    return {name: import_module(f"{__name__}.{name}") for name in names}


def verify(corpus: str, root: Path, options: dict, results: Path) -> tuple[int, pd.DataFrame]:
    """Exit code of `avf verify`, and every check by name."""
    layout = Layout(results)
    code = _verify.verify(corpus, {"root": root, **options}, layout)
    return code, pd.read_csv(layout.checks(corpus), keep_default_na=False).set_index("name")


def alarms(checks: pd.DataFrame) -> pd.DataFrame:
    """The checks that are not PASS."""
    return checks[checks["verdict"] != "PASS"]
