"""Read IEMOCAP as arrays, as shared by Yoon's AMH release and SelfCrossAttn; memory-mapped.

Yoon, Dey, Lee, Jung, ICASSP 2020, arXiv:1912.00846. `folds/fold01 … fold05` hold, for train, dev
and test, `s_audio_mfcc` (N, 1000, 120), `s_audio_seqN` (N,), `s_audio_prosody` (N, 35),
`s_nlp_trans` (N, 128), `s_video` (N, 32, 2048), `s_video_seqN` (N,) and `s_label` (N,) as .npy.
W_embedding.npy (3747, 300) and dic.pkl, word -> row, are next to `folds`. The MFCCs of a fold are
gigabytes, so arrays are never loaded completely. The pickle may hold only containers of text and
numbers.
"""

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.errors import CorpusError
from avfusion.io.bounded import refuse_large

SPLITS = ("train", "dev", "test")


FOLDS = 5


CLASSES = {1849: "fru", 1708: "neu", 1103: "ang", 1084: "sad", 1041: "exc", 595: "hap", 107: "sur"}
"""Number of utterances -> class; the counts identify the classes, because no file names them."""


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
"""The padding of `nlp_trans`; word 1 stands for all words without a row."""


class _Plain(pickle._Unpickler):
    """Unpickler of containers, text and numbers, which need no class; it refuses all classes.

    It is the one written in Python: the one in C takes 4 GB for a memo number of 2^31.
    """

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")


def read_words(path: Path) -> dict[str, int]:
    """Read dic.pkl: word -> row of W_embedding.

    Raises
    ------
    CorpusError
        If it is not a plain dictionary, for example a pickle that would run code.
    """
    try:
        refuse_large(path)
        # From memory, so that a stated length takes no more than the file has.
        words = _Plain(io.BytesIO(path.read_bytes()), encoding="latin-1").load()
    except Exception as error:  # a damaged pickle can raise anything
        raise CorpusError(
            f"{path}: not a plain dictionary ({error}). Request the file again; do not open it "
            f"with `pickle`, because it could run code."
        ) from None
    if not isinstance(words, dict) or not all(
        isinstance(word, str) and type(row) is int for word, row in words.items()
    ):
        raise CorpusError(f"{path}: expected word -> number, found {type(words).__name__}.")
    return words


def mapped(path: Path) -> np.ndarray:
    """Open an array memory-mapped; raise CorpusError for objects and unreadable files."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CorpusError(f"{path}: {type(error).__name__}: {error}. Unpack it again.") from None
    if not isinstance(array, np.ndarray):
        raise CorpusError(f"{path}: an archive of arrays, expected one array. Unpack it again.")
    return array


@dataclass
class Fold:
    """One fold: (split, name) -> memory-mapped array."""

    arrays: dict[tuple[str, str], np.ndarray]

    @classmethod
    def open(cls, folder: Path) -> "Fold":
        """Open all arrays of a fold, with SelfCrossAttn's `s_text` (N, 128, 300) if it exists."""
        arrays = {(s, n): mapped(folder / f"{s}_{n}.npy") for s in SPLITS for n in DIMS}
        more = {(s, "text"): folder / f"{s}_text.npy" for s in SPLITS}
        return cls(arrays | {key: mapped(path) for key, path in more.items() if path.is_file()})

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of utterances of train, dev and test."""
        return tuple(len(self.arrays[split, "label"]) for split in SPLITS)

    def with_pictures(self, split: str) -> np.ndarray:
        """Return the rows (n,) of the utterances that have pictures.

        The published code tests the list of rows without pictures for truth, and so keeps such an
        utterance if it is the only one and at row 0.
        """
        return np.flatnonzero(np.asarray(self.arrays[split, "video_seqN"]) != 0)

    def labels(self) -> np.ndarray:
        """Return the numbers of the classes (n,) of train, dev and test, concatenated."""
        return np.concatenate([np.asarray(self.arrays[s, "label"]) for s in SPLITS])

    def classes(self, counts: Mapping[int, str] | None = None) -> dict[int, str]:
        """Return number -> class, identified by how often each number occurs in the fold.

        Parameters
        ----------
        counts
            Number of utterances -> class, all different; by default those of the release.

        Raises
        ------
        CorpusError
            If the numbers occur with other counts.
        """
        counts = CLASSES if counts is None else counts
        numbers, occur = np.unique(self.labels(), return_counts=True)
        classes = {int(n): counts.get(int(c)) for n, c in zip(numbers, occur, strict=True)}
        if None in classes.values() or len(classes) != len(counts):
            listed = ", ".join(f"{n}: {c}" for n, c in zip(numbers, occur, strict=True))
            raise CorpusError(f"Classes occur {listed} times; expected {sorted(counts)}.")
        return {number: name for number, name in classes.items() if name}


def folder(number: int) -> str:
    """Return the folder of fold 1 … 5 below the root."""
    return f"folds/fold{number:02d}"


@dataclass
class Release:
    """The release `seven_category_120`: five folds, word vectors and words."""

    root: Path
    dims: dict[str, tuple[int, ...]] = field(default_factory=lambda: dict(DIMS))
    words: tuple[int, int] = WORDS
    counts: dict[int, str] = field(default_factory=lambda: dict(CLASSES))

    def fold(self, number: int) -> Fold:
        """Open fold 1 … 5."""
        return Fold.open(self.root / folder(number))


@dataclass(frozen=True)
class Utterance:
    """One row of the arrays of a split, read from disk on access.

    Attributes
    ----------
    root
        Folder of the release.
    path
        Path of the split's labels, below the root.
    row
        Index of the row.
    duration_s
        Length in seconds.
    meta
        Its media record.
    """

    root: Path
    path: str
    row: int
    duration_s: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def mfcc(self) -> np.ndarray:
        """MFCC frames without padding, (M, 120)."""
        return self._array("audio_mfcc")[: int(self._array("audio_seqN"))]

    @property
    def prosody(self) -> np.ndarray:
        """Prosody of the utterance, (1, 35)."""
        return self._array("audio_prosody")[None]

    @property
    def pictures(self) -> np.ndarray:
        """Features of the pictures without padding, (M, 2048); M = 0 if there are none."""
        return self._array("video")[: int(self._array("video_seqN"))]

    @property
    def words(self) -> np.ndarray:
        """Vectors of the words in their order, (M, 300)."""
        words = self._array("nlp_trans").astype(int)
        return np.asarray(mapped(self.root / "W_embedding.npy")[words[words != PAD]])

    def digest(self) -> str:
        """Hash all its arrays with SHA-256; folds that share an utterance have equal hashes."""
        digest = hashlib.sha256()
        for array in (self.mfcc, self.prosody, self.pictures, self.words):
            digest.update(f"{array.dtype.str} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _array(self, name: str) -> np.ndarray:
        split = self.path.removesuffix("label.npy")
        return mapped(self.root / f"{split}{name}.npy")[self.row]
