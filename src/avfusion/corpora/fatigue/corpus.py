"""Fatigue, rated 0 to 10 over minutes of video: a private corpus, read from a manifest."""

from collections.abc import Iterator

from avfusion.corpora.base import Check
from avfusion.corpora.fatigue.checks import fatigue_checks
from avfusion.corpora.fatigue.release import FatigueRelease
from avfusion.registry import corpora


@corpora.add("fatigue")
class Fatigue(FatigueRelease):
    """`split: holdout` draws 80 : 20 of the subjects by `seed`; `loso` tests on subject `fold`.

    Validation is drawn from the training subjects. `videos` and `subjects` are what is expected.
    """

    def checks(self) -> Iterator[Check]:
        """Lines, counts, the split, segments against each other and against the videos, sound."""
        yield from fatigue_checks(self)
