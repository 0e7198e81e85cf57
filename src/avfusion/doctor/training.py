"""Findings about training settings that work, but not as they seem to."""

from collections.abc import Iterator

from avfusion.config.study import Study
from avfusion.config.validate_training import late_plateaus
from avfusion.doctor.finding import Finding


def findings(study: Study) -> Iterator[Finding]:
    """Yield a warning per learning-rate schedule that can never act."""
    for what, remedy in late_plateaus(study):
        yield Finding("WARN", "training", what, remedy)
