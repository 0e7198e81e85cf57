"""RECOLA, 5 minutes of French dyads in video conferences, with six raters per recording."""

from collections.abc import Iterator

from avfusion.corpora.check import Check
from avfusion.corpora.recola.checks import recola_checks
from avfusion.corpora.recola.release import RecolaRelease
from avfusion.registry import corpora


@corpora.add("recola")
class Recola(RecolaRelease):
    """RECOLA with one of two splits and a published annotation delay.

    Parameters
    ----------
    root : Path
        Folder of a release.
    release : {"auto", "avec2016", "avec2018", "general"}
        `auto` recognises the release by its folders.
    gold : {"given", "recomputed"}
        `recomputed` computes the gold standard from the six raters. The general release has no
        other gold standard.
    split : {"dev_as_test", "official"}
        `dev_as_test` tests on the development recordings of AVEC; `official` validates on them.
    delay : {"praveen", "avec2018", "none"}
        Published annotation delay.
    delay_s : dict, optional
        Annotation delays of valence and arousal in seconds, instead of `delay`; see `avf delay`.
    raters : tuple of str
        Raters to leave out of a recomputed gold standard.
    rows, recordings : int
        Expected rows per rating file, and recordings (0: those of the release).
    seed : int
        Seed of the split of the general release.
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of counts, ratings, raters, gold, leaked test ratings, films and sound."""
        yield from recola_checks(self)
