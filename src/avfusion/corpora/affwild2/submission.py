"""Write ABAW submissions.

Since ABAW 5 a submission is one text file with the rows of the template. ABAW 3 expects a zip file
with one text file per trial.
"""

import io
import json
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.affwild2.tree import read_template
from avfusion.errors import CorpusError
from avfusion.io.atomic import write_bytes

if TYPE_CHECKING:
    from avfusion.corpora.affwild2.release import AffWild2Release
    from avfusion.corpora.submission import Answers


_ZIPPED = ("abaw3",)


def write_submission(
    corpus: "AffWild2Release", answers: "Answers", template: Path | None, card: Path, folder: Path
) -> Path:
    """Write every row of the template, in its order, with six decimals.

    Parameters
    ----------
    corpus : AffWild2Release
        Its root holds the template that the card names.
    answers : Answers
        Predictions per test trial.
    template : Path, optional
        Template to use instead of the one in the card.
    card : Path
        corpus.json of the study.
    folder : Path
        Where the submission is written.

    Returns
    -------
    Path
        predictions.txt, or predictions.zip for ABAW 3.

    Raises
    ------
    CorpusError
        If there is no template, or it has trials that are not in the test partition.
    """
    stated = json.loads(card.read_text(encoding="utf-8"))
    if template is None and stated["edition"] in _ZIPPED:
        return _zip(answers, folder / "predictions.zip")
    if template is None and not stated["template"]:
        raise CorpusError(
            f"{card}: no template was found when the corpus was verified. Name it: --template FILE."
        )
    place = template or corpus.root / stated["template"]
    if not place.is_file():
        raise CorpusError(f"{place}: file not found. Name the template: --template FILE.")
    rows = read_template(place)
    strange = sorted({trial for trial, _ in rows} - set(answers))
    if strange:
        raise CorpusError(
            f"{place}: {len(strange)} trials are not in the test partition, such as "
            f"{strange[0]!r}. Is it another edition's template?"
        )
    last: dict[str, int] = defaultdict(int)
    for trial, row in rows:
        last[trial] = max(last[trial], row)
    values = {trial: answers[trial].rows(count) for trial, count in last.items()}
    lines = ["image_location,valence,arousal"]
    for trial, row in rows:
        valence, arousal = values[trial][row - 1]
        lines.append(f"{trial}/{row:05d}.jpg,{valence:.6f},{arousal:.6f}")
    out = folder / "predictions.txt"
    write_bytes(out, ("\n".join(lines) + "\n").encode())
    return out


def _zip(answers: "Answers", out: Path) -> Path:
    """Write a zip file with one text file per trial and one row per frame."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for trial in answers:
            answer = answers[trial]
            if not answer.frames:
                raise CorpusError(
                    f"{trial}: the number of frames is unknown because the video was not read. "
                    "Run: avf media CORPUS"
                )
            rows = [f"{v:.6f},{a:.6f}" for v, a in np.asarray(answer.rows(answer.frames))]
            file.writestr(f"{trial}.txt", "\n".join(["valence,arousal", *rows]) + "\n")
    write_bytes(out, buffer.getvalue())
    return out
