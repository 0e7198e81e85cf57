"""IEMOCAP: twelve hours of acted dyads; a video here is one rated turn of one speaker."""

from collections.abc import Iterator

from avfusion.corpora.base import Check
from avfusion.corpora.iemocap.checks import iemocap_checks
from avfusion.corpora.iemocap.release import IemocapRelease
from avfusion.registry import corpora


@corpora.add("iemocap")
class Iemocap(IemocapRelease):
    """`classes` 4, 6 or 7 takes the turns of these, 0 every turn for its ratings alone.

    `folds: session` leaves session `fold` out; `random` is a published split that shares speakers.
    `expect` replaces counts of the release.
    """

    def checks(self) -> Iterator[Check]:
        """Counts of the release, lines, wavs, transcripts, films."""
        yield from iemocap_checks(self)
