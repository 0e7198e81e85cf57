"""Corpora without results, with reasons that do not name folders of this machine."""

from collections.abc import Iterable
from dataclasses import replace

from avfusion.config import availability
from avfusion.config.availability import Absence
from avfusion.config.study import Study
from avfusion.io.redact import without_paths
from avfusion.layout import Layout


def absences(names: Iterable[str], study: Study, layout: Layout) -> list[Absence]:
    """Return why these entries of `corpora` have no scores, entries of one reason together."""
    reasons = availability.absences(names, study, layout)
    return [replace(one, why=without_paths(one.why)) for one in reasons]


def left_out(study: Study, layout: Layout) -> list[Absence]:
    """Return the corpora that have neither files nor scores here."""
    away = availability.not_here(study, layout)
    return absences([name for name in away if not scored(name, layout)], study, layout)


def scored(corpus: str, layout: Layout) -> bool:
    """Return whether a corpus has been scored."""
    return (layout.scores(corpus) / "scores.parquet").is_file()
