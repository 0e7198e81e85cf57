"""Small folders in the exact form of each licensed corpus, with its known difficulties.

A miniature is a module in this folder, named after its corpus, with

    OPTIONS            options of the corpus' class that set its small counts as expected;
    build(root)        writes the clean folder, in which every check of `avf verify` passes;
    FAULTS             name -> `Fault`: an edit of the folder, and the check that must report it.

Picture and tone encode the rating of their instant, so a shift by one frame is detected. Nothing in
a miniature comes from the corpus itself. tests/unit/corpora/test_miniatures.py plants every fault.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pandas as pd

from avfusion.config.jobs import CorpusSettings
from avfusion.corpora import verify as _verify
from avfusion.layout import Layout


@dataclass(frozen=True)
class Fault:
    """One fault of a folder, and what `avf verify` must report."""

    plant: Callable[[Path], object]  # edits a clean folder in place
    check: str  # the check that must report it
    says: str  # part of the check's `found`
    verdict: str = "FAIL"
    also: tuple[str, ...] = ()  # other checks that fail or warn as well
    options: tuple[tuple[str, object], ...] = ()  # of the corpus, in addition to OPTIONS


def miniatures() -> dict[str, object]:
    """Return corpus -> its module."""
    names = [m.name for m in iter_modules(__path__) if not m.name.startswith("_")]
    return {name: import_module(f"{__name__}.{name}") for name in names}


def verify(corpus: str, root: Path, options: dict, results: Path) -> tuple[int, pd.DataFrame]:
    """Return the exit code of `avf verify` and every check by name."""
    layout = Layout(results)
    settings = CorpusSettings(class_=corpus, root=root, options=options)
    code = _verify.verify(corpus, settings, layout)
    return code, pd.read_csv(layout.checks(corpus), keep_default_na=False).set_index("name")


def alarms(checks: pd.DataFrame) -> pd.DataFrame:
    """Return the checks that do not pass."""
    return checks[checks["verdict"] != "PASS"]
