"""Aff-Wild2, the valence-arousal track of ABAW 3, 5, 6 and 8: a video here is one trial."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from avfusion.corpora.affwild2.checks import affwild2_checks
from avfusion.corpora.affwild2.release import AffWild2Release
from avfusion.corpora.affwild2.submission import write_submission
from avfusion.corpora.base import Check
from avfusion.registry import corpora


@corpora.add("affwild2")
class AffWild2(AffWild2Release):
    """`edition` abaw3, abaw5, abaw6 or abaw8; `faces` `official` takes cropped_aligned.

    `transcripts` is a folder of the lab's own, for the corpus brings none: `<trial>.csv`, or
    `<raw video>.csv` for both of its persons, a table `word, start_s, end_s`.
    """

    def checks(self) -> Iterator[Check]:
        """Counts of the edition, rows against frames and images, sound, lists and templates."""
        yield from affwild2_checks(self)

    def submission(self, answers: Any, template: Path | None, card: Path, folder: Path) -> Path:
        """predictions.txt in the template's rows, or predictions.zip in ABAW 3."""
        return write_submission(self, answers, template, card, folder)
