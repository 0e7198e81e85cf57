"""IEMOCAP, twelve hours of acted dyads; a video is one rated turn of one speaker."""

from collections.abc import Iterator

from avfusion.corpora.check import Check
from avfusion.corpora.iemocap.checks import iemocap_checks
from avfusion.corpora.iemocap.release import IemocapRelease
from avfusion.registry import corpora


@corpora.add("iemocap")
class Iemocap(IemocapRelease):
    """IEMOCAP with one of two cross-validation rules.

    Parameters
    ----------
    root : Path
        IEMOCAP_full_release.
    classes : {0, 4, 6, 7}
        Number of classes; turns of other classes are left out. 0 uses the ratings of every turn
        and no classes.
    folds : {"session", "random"}
        `session` leaves out session `fold`; `random` is a published split that shares speakers.
    fold : int
        1 to 5.
    expect : dict, optional
        Counts that replace those of the release: `dialogs` and `turns` (per session), `codes`
        (turns per class) and `picture_px` (width and height of the films).
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of counts, annotation lines, wav files, transcripts and films."""
        yield from iemocap_checks(self)
