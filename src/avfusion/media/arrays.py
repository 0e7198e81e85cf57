"""IEMOCAP as arrays, as Yoon's AMH release and SelfCrossAttn share it: read mapped.

Yoon, Dey, Lee, Jung, ICASSP 2020, arXiv:1912.00846. `folds/fold01 … fold05` hold, for train, dev
and test, `s_audio_mfcc` (N, 1000, 120), `s_audio_seqN` (N,), `s_audio_prosody` (N, 35),
`s_nlp_trans` (N, 128), `s_video` (N, 32, 2048), `s_video_seqN` (N,) and `s_label` (N,) as .npy;
beside them W_embedding.npy (3747, 300) and dic.pkl, word -> row. A fold's MFCCs are gigabytes: no
array is loaded whole, and the pickle may hold containers of text and numbers alone.
"""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.errors import CorpusError

SPLITS = ("train", "dev", "test")


FOLDS = 5


CLASSES = {1849: "fru", 1708: "neu", 1103: "ang", 1084: "sad", 1041: "exc", 595: "hap", 107: "sur"}
"""How often each class occurs: all differ, and no file says which number is which class."""


DIMS = {
    "audio_mfcc": (1000, 120),
    "audio_prosody": (35,),
    "nlp_trans": (128,),
    "video": (32, 2048),
    "audio_seqN": (),
    "video_seqN": (),
    "label": (),
}


WORDS = (3747, 300)


PAD = 0
"""The word that fills up `nlp_trans`; word 1 stands for all that have no row of their own."""


class _Plain(pickle.Unpickler):
    """Containers, text and numbers need no class; whatever names one is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def read_words(path: Path) -> dict[str, int]:
    """dic.pkl: word -> row of W_embedding; refuses a pickle that would run code."""
    try:
        with path.open("rb") as file:
            found = _Plain(file, encoding="latin-1").load()
    except Exception as error:  # a damaged pickle can raise anything
        raise CorpusError(
            f"{path}: not a plain dictionary ({error}). Ask for the file again; open it with "
            f"nothing that runs what a pickle names."
        ) from None
    if not isinstance(found, dict) or not all(
        isinstance(word, str) and type(row) is int for word, row in found.items()
    ):
        raise CorpusError(f"{path}: expected word -> number, found {type(found).__name__}.")
    return found


def mapped(path: Path) -> np.ndarray:
    """An array that stays on disk until a part of it is asked for; refuses objects."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CorpusError(f"{path}: {type(error).__name__}: {error}. Unpack it again.") from None
    if not isinstance(array, np.ndarray):
        raise CorpusError(f"{path}: an archive of arrays, not one. Unpack it again.")
    return array


@dataclass
class Fold:
    """One fold: (split, name) -> mapped array."""

    arrays: dict[tuple[str, str], np.ndarray]

    @classmethod
    def open(cls, folder: Path) -> "Fold":
        """All arrays of a fold; SelfCrossAttn's `s_text` (N, 128, 300) where it is there."""
        found = {(s, n): mapped(folder / f"{s}_{n}.npy") for s in SPLITS for n in DIMS}
        more = {(s, "text"): folder / f"{s}_text.npy" for s in SPLITS}
        return cls(found | {key: mapped(path) for key, path in more.items() if path.is_file()})

    @property
    def sizes(self) -> tuple[int, ...]:
        """Utterances of train, dev and test."""
        return tuple(len(self.arrays[split, "label"]) for split in SPLITS)

    def whole(self, split: str) -> np.ndarray:
        """Rows (n,) of the utterances that have pictures.

        The published code tests the list of offenders for truth, and so keeps one alone at row 0.
        """
        return np.flatnonzero(np.asarray(self.arrays[split, "video_seqN"]) != 0)

    def labels(self) -> np.ndarray:
        """Numbers of the classes (n,), train, dev and test one after the other."""
        return np.concatenate([np.asarray(self.arrays[s, "label"]) for s in SPLITS])

    def classes(self, counts: Mapping[int, str] | None = None) -> dict[int, str]:
        """Number -> class, told by how often each occurs in the fold; refuses other counts.

        counts: how often -> class, all different; those of the release unless given.
        """
        counts = CLASSES if counts is None else counts
        numbers, occur = np.unique(self.labels(), return_counts=True)
        found = {int(n): counts.get(int(c)) for n, c in zip(numbers, occur, strict=True)}
        if None in found.values() or len(found) != len(counts):
            said = ", ".join(f"{n}: {c}" for n, c in zip(numbers, occur, strict=True))
            raise CorpusError(f"Classes occur {said} times; expected {sorted(counts)}.")
        return {number: name for number, name in found.items() if name}


def folder(number: int) -> str:
    """Where fold 1 … 5 lies below the root."""
    return f"folds/fold{number:02d}"


@dataclass
class Release:
    """`seven_category_120`: five folds, word vectors and words."""

    root: Path
    dims: dict[str, tuple[int, ...]] = field(default_factory=lambda: dict(DIMS))
    words: tuple[int, int] = WORDS
    counts: dict[int, str] = field(default_factory=lambda: dict(CLASSES))

    def fold(self, number: int) -> Fold:
        """Fold 1 … 5."""
        return Fold.open(self.root / folder(number))


@dataclass(frozen=True)
class Utterance:
    """Row `row` of the arrays of a fold's split; read from disk when asked.

    path: of the split's labels, below the root. meta: its media record.
    """

    root: Path
    path: str
    row: int
    duration_s: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def mfcc(self) -> np.ndarray:
        """Without what fills up: (M, 120)."""
        return self._of("audio_mfcc")[: int(self._of("audio_seqN"))]

    @property
    def prosody(self) -> np.ndarray:
        """Of the whole utterance: (1, 35)."""
        return self._of("audio_prosody")[None]

    @property
    def pictures(self) -> np.ndarray:
        """Without what fills up: (M, 2048), M = 0 where no picture could be had."""
        return self._of("video")[: int(self._of("video_seqN"))]

    @property
    def words(self) -> np.ndarray:
        """Vectors of its words in their order: (M, 300)."""
        words = self._of("nlp_trans").astype(int)
        return np.asarray(mapped(self.root / "W_embedding.npy")[words[words != PAD]])

    def digest(self) -> str:
        """SHA-256 over all that is read of it; equal in every fold that has the same utterance."""
        digest = hashlib.sha256()
        for array in (self.mfcc, self.prosody, self.pictures, self.words):
            digest.update(f"{array.dtype.str} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _of(self, name: str) -> np.ndarray:
        split = self.path.removesuffix("label.npy")
        return mapped(self.root / f"{split}{name}.npy")[self.row]
