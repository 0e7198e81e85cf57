"""RAVDESS, acted speech and song of 24 actors; a video is one clip with one emotion."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import Check
from avfusion.corpora.ravdess.checks import ravdess_checks
from avfusion.corpora.ravdess.release import RavdessRelease
from avfusion.registry import corpora

if TYPE_CHECKING:
    from avfusion.corpora.obtain.source import Source


@corpora.add("ravdess")
class Ravdess(RavdessRelease):
    """RAVDESS with folds in which no actor is in two partitions.

    Parameters
    ----------
    root : Path
        Folder that contains Actor_01 to Actor_24, at any depth.
    actors : str, int or list of int, optional
        Actors of the study, such as `1-6` or `1-3,7`. By default all 24.
    channel : {"speech", "song", "both"}
        Clips that are used. Song has no disgust and no surprise, and no clip of actor 18.
    folds : {"published", "even"}
        `published` are the five folds of Luna-Jiménez et al. (2021). `even` draws five by `seed`.
    fold : int
        Number of the test fold, from 1. The next fold is validation.
    seed : int
        Seed of `folds: even`.
    ratings : str, optional
        Path below the root of your CSV with the columns `clip` and `intensity`: one mean rating
        from 1 to 5 per clip. The columns `validity` and `genuineness` may be there; they must be
        numbers and are not used. By default `intensity` is the acted level, 1 or 2.
    expect : dict, optional
        Counts that replace those of the release: `speech` and `song` (emotion -> clips per actor),
        `stereo` (number of stereo wav files) and `picture_px` (width and height).
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of file names, counts, downloads, ratings, pictures and sound."""
        yield from ravdess_checks(self)

    def source(self) -> "Source":
        """Return the video archives of the chosen actors at Zenodo."""
        from avfusion.corpora.ravdess.source import RavdessSource

        return RavdessSource(self.chosen, self.channel)
