"""Read the files of IEMOCAP; a video in the study is one rated turn of one speaker.

Busso et al., "IEMOCAP: interactive emotional dyadic motion capture database", Language Resources
and Evaluation 42 (2008). A turn has one class and one rating of valence, arousal and dominance.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from avfusion.corpora import iemocap_folds as split
from avfusion.corpora.base import Corpus
from avfusion.corpora.expected import refuse_unknown
from avfusion.corpora.iemocap.evaluation import Evaluation, Turn, read_turns
from avfusion.corpora.iemocap.tree import Parts, find_parts
from avfusion.errors import ConfigError, CorpusError
from avfusion.io.bounded import content
from avfusion.media.transcript_formats import Dialog, Word, read_alignment, read_dialog
from avfusion.schemas import GOLD, LABELS

CODES = {
    "neu": 1708, "fru": 1849, "ang": 1103, "sad": 1084, "exc": 1041, "hap": 595, "sur": 107,
    "fea": 40, "oth": 3, "dis": 2, "xxx": 2507,
}  # fmt: skip


TARGETS = ("valence", "arousal", "dominance")


INSTANTS = 10  # a turn's rating is repeated this often, so that all turns have the same weight


CLASSES = {
    4: ("ang", "hap", "neu", "sad"),  # hap: happy or excited
    6: ("ang", "exc", "fru", "hap", "neu", "sad"),
    7: ("ang", "exc", "fru", "hap", "neu", "sad", "sur"),
    0: (),
}
"""Number of classes -> their names."""


MERGED = {4: {"exc": "hap"}}
"""Number of classes -> code -> class that the code is merged into."""


ACCESS = """\
Home: sail.usc.edu/iemocap

A faculty member of an academic institution, or the responsible person of a company, completes the
release form on that page and receives a link by e-mail. Request the release with films: one archive
with Session1 to Session5. No checksums are published. `avf verify` checks every count and writes
fingerprints.parquet, which two laboratories can compare without sharing data. Copies from other
sources are not licensed.

Unpack the archive without renaming anything and set corpora.iemocap.root to
IEMOCAP_full_release."""


class IemocapRelease(Corpus):
    """IEMOCAP as tables: turns, their classes and ratings."""

    name = "iemocap"
    targets = TARGETS
    value_range = (1.0, 5.5)
    rating_hz = 0.0  # one rating per turn
    licence = (
        "IEMOCAP release form: research of the signing institution; recordings, transcripts and "
        "annotations may not be passed on."
    )
    obtain = "For how to request access, run: avf obtain iemocap"
    access = ACCESS

    def __init__(
        self,
        *,
        root: Path,
        classes: Literal[0, 4, 6, 7] = 7,
        folds: Literal["session", "random"] = "session",
        fold: int = 5,
        expect: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(root=root)
        if classes not in CLASSES:
            raise ConfigError(f"iemocap: classes is {classes!r}; expected 4, 6, 7, or 0 for none.")
        if folds not in split.RULES:
            raise ConfigError(f"iemocap: folds is {folds!r}; expected `session` or `random`.")
        if fold not in range(1, split.FOLDS + 1):
            raise ConfigError(f"iemocap: fold is {fold!r}; expected 1 … {split.FOLDS}.")
        self.kind, self.folds, self.fold = classes, folds, fold
        self.classes = CLASSES[classes]
        self.split_given = folds == "random"
        self.expected = Expected.of(expect or {})

    def fingerprint_files(self, folder: str) -> bool:
        """Return False for motion capture, which is not used."""
        return "/MOCAP_" not in f"/{folder}"

    @cached_property
    def parts(self) -> Parts:
        """Locations of all files; raises `CorpusError` if there is no evaluation file."""
        parts = find_parts(self.tree)
        if not parts.evaluations:
            raise CorpusError(
                f"{self.root}: no file Session*/dialog/EmoEvaluation/Ses*.txt. {self.obtain}"
            )
        return parts

    @cached_property
    def evaluations(self) -> dict[str, Evaluation]:
        """Dialog -> contents of its evaluation file, in order of the paths."""
        paths = sorted((path, dialog) for dialog, path in self.parts.evaluations.items())
        return {d: read_turns(content(self.root / p), p, d) for p, d in paths}

    @cached_property
    def transcripts(self) -> dict[str, Dialog]:
        """Dialog -> contents of its transcript."""
        paths = sorted(self.parts.transcripts.items())
        return {d: read_dialog(content(self.root / p), p) for d, p in paths}

    @cached_property
    def alignments(self) -> dict[str, tuple[list[Word], list[str]]]:
        """Turn -> its aligned words, and the faults of the file."""
        paths = sorted(self.parts.alignments.items())
        return {turn: read_alignment(content(self.root / p), p) for turn, p in paths}

    @cached_property
    def turns(self) -> list[Turn]:
        """Every rated turn, in order of the files' paths and the turns' names."""
        files = self.evaluations.values()
        return [turn for file in files for turn in sorted(file.turns, key=lambda t: t.name)]

    @cached_property
    def used(self) -> list[tuple[Turn, split.Partition]]:
        """Turns of the study and the partition of each."""
        kept = [turn for turn in self.turns if not self.classes or self.label(turn)]
        if self.folds == "random":
            partitions = split.at_random(len(kept), self.fold)
        else:
            partitions = [split.by_session(turn.session, self.fold) for turn in kept]
        return list(zip(kept, partitions, strict=True))

    def label(self, turn: Turn) -> str | None:
        """Return the class of a turn, or None if it is not a class of the study."""
        code = MERGED.get(self.kind, {}).get(turn.code, turn.code)
        return code if code in self.classes else None

    def videos(self) -> pd.DataFrame:
        """Return one row per turn: start, end and half of its dialog's film, and its wav file."""
        rows = [self._row(turn, partition) for turn, partition in self.used]
        return pd.DataFrame(rows, columns=_COLUMNS)

    def _row(self, turn: Turn, partition: str) -> tuple[Any, ...]:
        """Return the values of `_COLUMNS` for a turn."""
        parts, name = self.parts, turn.name
        folder = parts.evaluations[turn.dialog].rpartition("EmoEvaluation/")[0]
        film = parts.films.get(turn.dialog, f"{folder}avi/DivX/{turn.dialog}.avi")
        sound = parts.wavs.get(name)
        sha256 = (self.tree.find(sound) or (0, None))[1] if sound else None
        dialog = self.transcripts.get(turn.dialog)
        text = None
        if name in self.alignments and not self.alignments[name][1]:
            text = parts.alignments[name]
        elif dialog is not None and name in dialog.turns:
            text = parts.transcripts[turn.dialog]
        cut = turn.start_s, turn.end_s, turn.half
        return name, film, partition, turn.speaker, None, text, sound, sha256, *cut

    def gold(self) -> pd.DataFrame:
        """Return the rating of each turn, repeated at `INSTANTS` instants from start to end."""
        turns = [turn for turn, _ in self.used]
        at = np.linspace(0, 1, INSTANTS)
        times_s = [np.round(at * (t.end_s - t.start_s), 6) for t in turns]
        names = np.repeat([t.name for t in turns], INSTANTS)
        table = pd.DataFrame({"video": names, "time_s": np.concatenate([*times_s, at[:0]])})
        values = np.array([t.vad for t in turns], float).reshape(-1, len(TARGETS))
        table[list(TARGETS)] = np.repeat(values, INSTANTS, axis=0)
        return table[[*GOLD, *TARGETS]]

    def labels(self) -> pd.DataFrame:
        """Return the class of each turn; empty if `classes` is 0."""
        rows = [(turn.name, self.label(turn)) for turn, _ in self.used if self.classes]
        return pd.DataFrame(rows, columns=list(LABELS), dtype=object)

    def card(self) -> dict[str, Any]:
        """Return the common card with the fold, its rule and the hash of the split."""
        text = "\n".join(sorted(f"{turn.name},{part}" for turn, part in self.used))
        return {
            **super().card(),
            "fold": self.fold,
            "split": split.rule(self.folds, self.fold),
            "split_sha256": hashlib.sha256(text.encode()).hexdigest(),
        }


_COLUMNS = [
    *("video", "path", "partition", "subject", "voice", "transcript"),
    *("sound", "sound_sha256", "start_s", "end_s", "half"),
]


@dataclass(frozen=True)
class Expected:
    """Expected counts per session and per class, and the size of the films."""

    dialogs: tuple[int, ...] = (28, 30, 32, 30, 31)
    turns: tuple[int, ...] = (1819, 1811, 2136, 2103, 2170)
    codes: tuple[tuple[str, int], ...] = tuple(sorted(CODES.items()))
    picture_px: tuple[int, int] = (720, 480)
    given: bool = False  # whether some of them come from the config

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Expected":
        """Return the counts of the release with those of the option `expect` replaced.

        Raises `ConfigError` for an unknown key.
        """
        refuse_unknown("iemocap", cls, given)
        counts = {name: tuple(value) for name, value in given.items() if name != "codes"}
        if "codes" in given:
            counts["codes"] = tuple(sorted(given["codes"].items()))
        return cls(**counts, given=bool(given))
