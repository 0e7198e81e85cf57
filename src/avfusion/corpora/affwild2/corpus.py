"""Aff-Wild2, the valence-arousal track of ABAW 3, 5, 6 and 8; a video is one trial."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from avfusion.corpora.affwild2.checks import affwild2_checks
from avfusion.corpora.affwild2.release import AffWild2Release
from avfusion.corpora.affwild2.submission import write_submission
from avfusion.corpora.check import Check
from avfusion.registry import corpora

if TYPE_CHECKING:
    from avfusion.corpora.submission import Answers


@corpora.add("affwild2")
class AffWild2(AffWild2Release):
    """Aff-Wild2 with the partitions of one ABAW edition.

    Parameters
    ----------
    root : Path
        Folder with the unpacked zip files of one edition.
    edition : str
        `abaw3`, `abaw5`, `abaw6` or `abaw8`. Without it, it is the only edition that has the counts
        of trials and rated rows of the files.
    faces : {"own", "official"}
        `own` tracks faces with avfusion; `official` uses the images of cropped_aligned.
    annotations, test_list, template : str
        Paths below `root`, for a folder in which they cannot be identified.
    transcripts : str
        Folder below `root` with your own transcripts, because the corpus has none. A transcript is
        a table `word, start_s, end_s` named `<trial>.csv`, or `<raw video>.csv` for both persons.
    expect : dict, optional
        Counts that replace those of the edition, for a part of the corpus.
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of counts, rows, frames, images, sound, lists and the template."""
        yield from affwild2_checks(self)

    def submission(
        self, answers: "Answers", template: Path | None, card: Path, folder: Path
    ) -> Path:
        """Write predictions.txt in the template's rows, or predictions.zip for ABAW 3."""
        return write_submission(self, answers, template, card, folder)
