"""Findings about training settings that work, but not as they seem to."""

from collections.abc import Iterator

from avfusion.config.study import Study
from avfusion.config.validate_training import late_plateaus, late_schedules, without_effect
from avfusion.doctor.finding import Finding


def findings(study: Study) -> Iterator[Finding]:
    """Yield a warning per schedule that can never act, and per setting without effect."""
    for what, remedy in [*late_plateaus(study), *late_schedules(study), *without_effect(study)]:
        yield Finding("WARN", "training", what, remedy)
