"""What tables and the page say of corpora without results, without this machine's folders."""

from dataclasses import replace
from typing import Any

from avfusion.config import availability
from avfusion.config.availability import Absence
from avfusion.io.redact import without_paths
from avfusion.layout import Layout


def absences(names: list[str], study: dict[str, Any], layout: Layout) -> list[Absence]:
    """These entries of `corpora`, which have no scores, by the reason why."""
    found = availability.absences(names, study, layout)
    return [replace(one, why=without_paths(one.why)) for one in found]


def left_out(study: dict[str, Any], layout: Layout) -> list[Absence]:
    """Corpora of which nothing is here: neither files nor scores."""
    away = availability.not_here(study, layout)
    return absences([name for name in away if not scored(name, layout)], study, layout)


def scored(corpus: str, layout: Layout) -> bool:
    """Whether a corpus was ever scored."""
    return (layout.scores(corpus) / "scores.parquet").is_file()
