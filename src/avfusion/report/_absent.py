"""What tables and the page say of corpora without results, without this machine's folders."""

from dataclasses import replace
from typing import Any

from avfusion import present
from avfusion.layout import Layout
from avfusion.present import Absence
from avfusion.report._page_paths import without_paths


def absences(names: list[str], study: dict[str, Any], layout: Layout) -> list[Absence]:
    """These entries of `corpora`, which have no scores, by the reason why."""
    found = present.absences(names, study, layout)
    return [replace(one, why=without_paths(one.why)) for one in found]


def left_out(study: dict[str, Any], layout: Layout) -> list[Absence]:
    """Corpora of which nothing is here: neither files nor scores."""
    away = present.not_here(study, layout)
    return absences([name for name in away if not scored(name, layout)], study, layout)


def scored(corpus: str, layout: Layout) -> bool:
    """Whether a corpus was ever scored."""
    return (layout.scores(corpus) / "scores.parquet").is_file()
