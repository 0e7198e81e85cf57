"""IEMOCAP as arrays, as Yoon's AMH release and SelfCrossAttn share it: read mapped, and checked.

Yoon, Dey, Lee, Jung, ICASSP 2020, arXiv:1912.00846. `folds/fold01 … fold05` hold, for train, dev
and test, `s_audio_mfcc` (N, 1000, 120), `s_audio_seqN` (N,), `s_audio_prosody` (N, 35),
`s_nlp_trans` (N, 128), `s_video` (N, 32, 2048), `s_video_seqN` (N,) and `s_label` (N,) as .npy;
beside them W_embedding.npy (3747, 300) and dic.pkl, word -> row. A fold's MFCCs are gigabytes: no
array is loaded whole, and the pickle may hold containers of text and numbers alone.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.corpora._iemocap_split import at_random
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
_LENGTHS = {"audio_seqN": "audio_mfcc", "video_seqN": "video"}
_ROWS_AT_ONCE = 64  # of MFCCs: 30 MB


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

    def classes(self) -> dict[int, str]:
        """Number -> class, told by how often each occurs in the fold; refuses other counts."""
        labels = np.concatenate([np.asarray(self.arrays[s, "label"]) for s in SPLITS])
        numbers, counts = np.unique(labels, return_counts=True)
        found = {int(n): CLASSES.get(int(c)) for n, c in zip(numbers, counts, strict=True)}
        if None in found.values() or len(found) != len(CLASSES):
            said = ", ".join(f"{n}: {c}" for n, c in zip(numbers, counts, strict=True))
            raise CorpusError(f"Classes occur {said} times; expected {sorted(CLASSES)}.")
        return {number: name for number, name in found.items() if name}


@dataclass
class Release:
    """`seven_category_120`: five folds, word vectors and words."""

    root: Path
    dims: dict[str, tuple[int, ...]] = field(default_factory=lambda: dict(DIMS))
    words: tuple[int, int] = WORDS

    def fold(self, number: int) -> Fold:
        """Fold 1 … 5."""
        return Fold.open(self.root / "folds" / f"fold{number:02d}")

    def faults(self, sizes: list[tuple[int, ...]] | None = None) -> Iterator[str]:
        """What is wrong, a sentence each; sizes: of train, dev and test, fold by fold."""
        yield from self._of_words()
        counts = []
        for number in range(1, FOLDS + 1):
            where = f"fold{number:02d}"
            try:
                fold = self.fold(number)
            except CorpusError as error:
                yield str(error)
                continue
            yield from (f"{where}: {fault}" for fault in self._of_fold(fold))
            if sizes and fold.sizes != tuple(sizes[number - 1]):
                yield f"{where}: {fold.sizes} utterances, expected {tuple(sizes[number - 1])}"
            labels = np.concatenate([np.asarray(fold.arrays[s, "label"]) for s in SPLITS])
            counts.append(np.unique(labels, return_counts=True)[1].tolist())
        if any(one != counts[0] for one in counts):
            yield f"classes occur differently from fold to fold: {counts}"

    def _of_words(self) -> Iterator[str]:
        try:
            vectors = mapped(self.root / "W_embedding.npy")
            rows = read_words(self.root / "dic.pkl").values()
        except CorpusError as error:
            yield str(error)
            return
        if vectors.shape != self.words:
            yield f"W_embedding.npy: {vectors.shape}, expected {self.words}"
        elif np.any(vectors[0]):
            yield "W_embedding.npy: row 0, which pads, is not zero"
        if outside := sum(not 0 <= row < len(vectors) for row in rows):
            yield f"dic.pkl: {outside} words without a row in W_embedding.npy"

    def _of_fold(self, fold: Fold) -> Iterator[str]:
        for (split, name), array in fold.arrays.items():
            count, own = len(fold.arrays[split, "label"]), self.dims.get(name)
            if own is not None and array.shape != (count, *own):
                yield f"{split}_{name}: {array.shape}, expected {(count, *own)}"
                continue
            if name in _LENGTHS:
                most = self.dims[_LENGTHS[name]][0]
                if np.any((array < 0) | (array > most)):
                    yield f"{split}_{name}: lengths beyond 0 … {most}"
            if name == "nlp_trans" and np.any((array < 0) | (array >= self.words[0])):
                yield f"{split}_{name}: words beyond row {self.words[0] - 1}"
            if array.dtype.kind == "f" and not _finite(array):
                yield f"{split}_{name}: values that are not finite"


def against(release: Release, codes: list[str]) -> Iterator[str]:
    """Where the arrays' labels are not those of the raw release under the published folds.

    codes: the class of every turn of the seven, in order of files' paths and turns' names.
    """
    for number in range(1, FOLDS + 1):
        fold, parts = release.fold(number), at_random(len(codes), number)
        names = fold.classes()
        for split, part in zip(SPLITS, ("train", "validation", "test"), strict=True):
            given = [names[int(n)] for n in fold.arrays[split, "label"]]
            made = [code for code, where in zip(codes, parts, strict=True) if where == part]
            if len(given) != len(made):
                yield f"fold{number:02d}: {split} has {len(given)} utterances, made {len(made)}"
            elif off := sum(a != b for a, b in zip(given, made, strict=True)):
                yield f"fold{number:02d}: {split}: {off} of {len(made)} labels are others"


def _finite(array: np.ndarray) -> bool:
    parts = range(0, len(array), _ROWS_AT_ONCE)
    return all(np.isfinite(array[i : i + _ROWS_AT_ONCE]).all() for i in parts)
