"""Transcripts: words with times, and the words in each clip.

The column `transcript` of the manifest names a file: a CSV table `word, start_s, end_s` in seconds
of the video's timeline; a word alignment of Sphinx (`.wdseg`); the text of a dialog (`.txt`, one
turn per line), whose line with the video's name is used with its words spread evenly; or a sentence
in UTF-8 (`.sentence`), whose words are spread evenly over the video. Words are licensed like faces,
so they stay in the corpus folder; files elsewhere contain only their hashes.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.errors import AvfError
from avfusion.io.bounded import refuse_large
from avfusion.media.transcript_formats import Turn, Word, read_alignment, read_dialog, spread
from avfusion.schemas import SLACK_S

COLUMNS = ("word", "start_s", "end_s")


SENTENCE = ".sentence"
"""Ending of a file with the words of a video without their times."""


WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True)
class Transcript:
    """Words in the order in which they begin.

    Attributes
    ----------
    words
        The words (M,), in lower case and without punctuation.
    start_s, end_s
        Start and end of each word in seconds, (M,).
    duration_s
        Length of the video in seconds.
    sha256
        SHA-256 of the file; None for a video without a transcript.
    """

    words: tuple[str, ...]
    start_s: np.ndarray
    end_s: np.ndarray
    duration_s: float
    sha256: str | None = None

    @classmethod
    def none(cls, duration_s: float) -> "Transcript":
        """Return the transcript of a video without one; it has no words."""
        return cls((), np.empty(0), np.empty(0), duration_s)

    @classmethod
    def read(cls, path: Path, duration_s: float, video: str = "") -> "Transcript":
        """Read a file.

        Parameters
        ----------
        path
            The file.
        duration_s
            Length of the video in seconds.
        video
            Name of the video, for files with several.

        Raises
        ------
        AvfError
            If the file is missing or malformed; the message does not quote the transcript.
        """
        again = "Correct the file, or leave its `transcript` in the manifest empty."
        try:
            refuse_large(path)
            raw = path.read_bytes()
            if path.suffix == SENTENCE:
                return cls._of(spread(Turn(0.0, duration_s, raw.decode())), raw, duration_s)
            if path.suffix in _FORMS:
                return cls._of(_FORMS[path.suffix](raw, path.name, video), raw, duration_s)
            table = pd.read_csv(path, usecols=list(COLUMNS), dtype={"word": str}, na_filter=False)
            times = table[["start_s", "end_s"]].astype(float).to_numpy()  # (M, 2)
        except MissingWordsError as error:
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
        words = [Word(table["word"][i], *times[i]) for i in order]
        return cls._of(words, raw, duration_s)

    @classmethod
    def _of(cls, spoken: list[Word], raw: bytes, duration_s: float) -> "Transcript":
        parts = [(w, *word[1:]) for word in spoken for w in WORD.findall(word.word.lower())]
        words, start_s, end_s = zip(*parts, strict=True) if parts else ((), (), ())
        digest = hashlib.sha256(raw).hexdigest()
        return cls(tuple(words), np.array(start_s), np.array(end_s), duration_s, digest)

    def spoken(self, ends_s: np.ndarray, length_s: float) -> np.ndarray:
        """Return which words overlap (end - length_s, end], bool (N, M), for ends (N,)."""
        begun = self.start_s <= ends_s[:, None] + SLACK_S
        going_on = self.end_s > ends_s[:, None] - length_s + SLACK_S
        return begun & going_on


class MissingWordsError(Exception):
    """A transcript lacks the requested words; the message does not quote it."""


def _aligned(raw: bytes, name: str, video: str) -> list[Word]:
    words, faults = read_alignment(raw, name)
    if faults:
        raise MissingWordsError(faults[0])
    return words


def _turn(raw: bytes, name: str, video: str) -> list[Word]:
    turn = read_dialog(raw, name).turns.get(video)
    if turn is None:
        raise MissingWordsError(f"no line of {video}")
    return spread(turn)


_FORMS = {".wdseg": _aligned, ".txt": _turn}


def word_hash(word: str) -> int:
    """Return the hash that stands for a word outside the corpus folder, 63 bits, never 0."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") >> 1 | 1
