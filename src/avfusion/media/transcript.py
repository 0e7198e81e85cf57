"""A video's transcript: which word is said from when to when, and which words a clip holds.

A transcript is named in the manifest's column `transcript`: a CSV table `word, start_s, end_s` in
seconds of the video's timeline; a word alignment of Sphinx (`.wdseg`); or a dialog's text (`.txt`,
a line a turn), of which the line named as the video counts, its words spread evenly. Words are
licensed like faces: they stay in the corpus folder, and what is written elsewhere knows them by
their hash alone.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.errors import AvfError
from avfusion.media.transcript_formats import Word, read_alignment, read_dialog, spread
from avfusion.schemas import SLACK_S

COLUMNS = ("word", "start_s", "end_s")


WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True)
class Transcript:
    """Words in the order in which they begin: words (M,), start_s (M,), end_s (M,).

    sha256 is that of the file, None where a video has no transcript (and so no word).
    """

    words: tuple[str, ...]
    start_s: np.ndarray
    end_s: np.ndarray
    duration_s: float
    sha256: str | None = None

    @classmethod
    def none(cls, duration_s: float) -> "Transcript":
        """That of a video without one."""
        return cls((), np.empty(0), np.empty(0), duration_s)

    @classmethod
    def read(cls, path: Path, duration_s: float, video: str = "") -> "Transcript":
        """The file's words, in lower case and without punctuation; refuses times that are none.

        video: its name, where the file holds those of several.
        """
        again = "Mend the file, or leave its `transcript` in the manifest empty."
        try:
            raw = path.read_bytes()
            if path.suffix in _FORMS:
                return cls._of(_FORMS[path.suffix](raw, path.name, video), raw, duration_s)
            table = pd.read_csv(path, usecols=list(COLUMNS), dtype={"word": str}, na_filter=False)
            times = table[["start_s", "end_s"]].astype(float).to_numpy()  # (M, 2)
        except UntoldError as error:
            raise AvfError(f"{path}: {error}. {again}") from None
        except (OSError, ValueError) as error:
            name = type(error).__name__  # the error's own words may quote the transcript
            raise AvfError(
                f"{path}: {name}; a transcript is a CSV table with the columns "
                f"{', '.join(COLUMNS)}. {again}"
            ) from None
        wrong = np.flatnonzero(~np.isfinite(times).all(1) | (times[:, 1] < times[:, 0]))
        if len(wrong):
            raise AvfError(f"{path}: line {wrong[0] + 2} ends before it starts. {again}")
        order = np.argsort(times[:, 0], kind="stable")
        said = [Word(table["word"][i], *times[i]) for i in order]
        return cls._of(said, raw, duration_s)

    @classmethod
    def _of(cls, said: list[Word], raw: bytes, duration_s: float) -> "Transcript":
        found = [(w, *word[1:]) for word in said for w in WORD.findall(word.word.lower())]
        words, start_s, end_s = zip(*found, strict=True) if found else ((), (), ())
        digest = hashlib.sha256(raw).hexdigest()
        return cls(tuple(words), np.array(start_s), np.array(end_s), duration_s, digest)

    def spoken(self, ends_s: np.ndarray, length_s: float) -> np.ndarray:
        """Which words overlap (end - length_s, end] (N, M) bool; a word of no length is a point."""
        begun = self.start_s <= ends_s[:, None] + SLACK_S
        going_on = self.end_s > ends_s[:, None] - length_s + SLACK_S
        return begun & going_on


class UntoldError(Exception):
    """A transcript without what is asked of it; says so without quoting it."""


def _aligned(raw: bytes, name: str, video: str) -> list[Word]:
    words, faults = read_alignment(raw, name)
    if faults:
        raise UntoldError(faults[0])
    return words


def _turn(raw: bytes, name: str, video: str) -> list[Word]:
    said = read_dialog(raw, name).said.get(video)
    if said is None:
        raise UntoldError(f"no line of {video}")
    return spread(said)


_FORMS = {".wdseg": _aligned, ".txt": _turn}


def word_hash(word: str) -> int:
    """A word's name outside the corpus folder: 63 bits of its SHA-256, never 0."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") >> 1 | 1
