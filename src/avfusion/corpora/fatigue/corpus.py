"""Fatigue rated from 0 to 10 over minutes of video; a private corpus, read from a manifest."""

from collections.abc import Iterator

from avfusion.corpora.check import Check
from avfusion.corpora.fatigue.checks import fatigue_checks
from avfusion.corpora.fatigue.release import FatigueRelease
from avfusion.registry import corpora


@corpora.add("fatigue")
class Fatigue(FatigueRelease):
    """Fatigue with a split in which no subject is in two partitions.

    Validation is drawn from the training subjects.

    Parameters
    ----------
    root : Path
        Folder of manifest.csv and the videos.
    split : {"holdout", "loso"}
        `holdout` splits the subjects 80 : 20 by `seed`; `loso` tests on subject number `fold`.
    fold, seed : int
        Test subject, counted from 1, and seed of the split.
    rating_hz : float
        Ratings per second in the gold standard.
    videos, subjects : int
        Expected counts.
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of the manifest, counts, the split, segments, videos and sound."""
        yield from fatigue_checks(self)
