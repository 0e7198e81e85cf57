"""Corpora of a study that are not here, for `avf plan` and `avf status`."""

from collections.abc import Iterable

from avfusion.config.availability import absences, not_here
from avfusion.config.study import Study
from avfusion.layout import Layout


def needed(study: Study, layout: Layout) -> list[str]:
    """Return the corpora that are not here, and without which Snakemake does not start."""
    return [name for name in not_here(study, layout) if not study.corpora[name].if_present]


def absent(study: Study, layout: Layout, assumed: Iterable[str] = ()) -> list[str]:
    """Return a line per reason why corpora are not here, but for those that are assumed to be."""
    given = {*assumed}
    away = [name for name in not_here(study, layout) if name not in given]
    required = [name for name in needed(study, layout) if name not in given]
    optional = [name for name in away if name not in required]
    words = (
        (required, "Snakemake does not start without it."),
        (optional, "It is left out (`if_present: true`)."),
    )
    return [
        f"{absence.title}: not here, {absence.why}. {effect}"
        for names, effect in words
        for absence in absences(names, study, layout)
    ]
