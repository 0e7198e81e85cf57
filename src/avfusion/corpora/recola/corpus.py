"""RECOLA: 5 minutes of French dyads on video-conference, six raters a recording."""

from collections.abc import Iterator

from avfusion.corpora.base import Check
from avfusion.corpora.recola.checks import recola_checks
from avfusion.corpora.recola.release import RecolaRelease
from avfusion.registry import corpora


@corpora.add("recola")
class Recola(RecolaRelease):
    """`split: dev_as_test` tests on AVEC's development recordings, `official` validates on them.

    `gold: recomputed` makes it from the six raters; the general release has no other. `delay` is
    a published preset; `delay_s` ({valence, arousal} in seconds, see `avf delay`) replaces it.
    """

    def checks(self) -> Iterator[Check]:
        """Counts, ratings, gold against raters, test ratings that should not exist, sound."""
        yield from recola_checks(self)
