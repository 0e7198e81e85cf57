"""CREMA-D, 7,442 acted clips of 91 people, with votes of raters on voice, face and both."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from avfusion.corpora.check import Check
from avfusion.corpora.crema_d.checks import crema_d_checks
from avfusion.corpora.crema_d.release import CremaDRelease
from avfusion.registry import corpora

if TYPE_CHECKING:
    from avfusion.corpora.crema_d.source import CremaDSource


@corpora.add("crema_d")
class CremaD(CremaDRelease):
    """CREMA-D with folds of actors.

    Parameters
    ----------
    root : Path
        Folder that contains VideoFlash, AudioWAV and processedResults, at any depth.
    actors : str, int, list of int or None
        Actors of the study, such as `1-6` or `1001-1006`; by default all 91.
    labels : {"intended", "voted"}
        `intended` is the emotion that the actor was asked for; `voted` is the emotion that most
        raters of sound and picture chose. A tie belongs to no class.
    folds : int
        Number of folds. Each has nearly the same number of actors.
    fold : int
        Test fold, from 1. The next one is validation.
    seed : int
        Seed that assigns actors to folds.
    expect : dict, optional
        Counts that replace those of the release: `actors`, `clips`, `per_actor`, `sentences`,
        `emotions`, `recognition`, `unusable` and `disagreements` (`release.Expected`).
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of names, counts, votes, demographics, films and wav files."""
        yield from crema_d_checks(self)

    def source(self) -> "CremaDSource":
        """Return where the files of the chosen actors can be downloaded."""
        from avfusion.corpora.crema_d.source import CremaDSource

        return CremaDSource(self.actors)
