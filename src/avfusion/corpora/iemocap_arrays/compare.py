"""Find faults in IEMOCAP's shared arrays, without loading an array completely."""

from collections.abc import Iterator, Sequence

import numpy as np

from avfusion.corpora.iemocap_folds import Partition, at_random
from avfusion.errors import CorpusError
from avfusion.media.arrays import FOLDS, SPLITS, Fold, Release, mapped, read_words

PARTS: dict[str, Partition] = {"train": "train", "dev": "validation", "test": "test"}
"""Split of the arrays -> partition of the study."""


_LENGTHS = {"audio_seqN": "audio_mfcc", "video_seqN": "video"}


_ROWS_AT_ONCE = 64  # 30 MB of MFCCs


def faults(release: Release, sizes: Sequence[tuple[int, ...]] | None = None) -> Iterator[str]:
    """Yield what is wrong with a release, one sentence per fault.

    Parameters
    ----------
    release : Release
        The folder, and what it should contain.
    sizes : sequence of tuple, optional
        Expected numbers of utterances in train, dev and test, one tuple per fold.
    """
    yield from of_words(release)
    yield from of_dictionary(release)
    counts: list[list[int]] = []
    for number in range(1, FOLDS + 1):
        where = f"fold{number:02d}"
        try:
            fold = release.fold(number)
        except CorpusError as error:
            yield str(error)
            continue
        yield from (f"{where}: {fault}" for fault in of_fold(release, fold))
        if sizes and fold.sizes != tuple(sizes[number - 1]):
            yield f"{where}: {fold.sizes} utterances, expected {tuple(sizes[number - 1])}"
        counts.append(np.unique(fold.labels(), return_counts=True)[1].tolist())
    if any(one != counts[0] for one in counts):
        yield f"classes occur differently from fold to fold: {counts}"


def of_words(release: Release) -> Iterator[str]:
    """Yield what is wrong with W_embedding.npy."""
    try:
        vectors = mapped(release.root / "W_embedding.npy")
    except CorpusError as error:
        yield str(error)
        return
    if vectors.shape != release.words:
        yield f"W_embedding.npy: {vectors.shape}, expected {release.words}"
    elif np.any(vectors[0]):
        yield "W_embedding.npy: row 0, the padding, is not zero"


def of_dictionary(release: Release) -> Iterator[str]:
    """Yield what is wrong with dic.pkl, the spelling of the words; no feature uses it."""
    try:
        rows = read_words(release.root / "dic.pkl").values()
    except CorpusError as error:
        yield str(error)
        return
    if outside := sum(not 0 <= row < release.words[0] for row in rows):
        yield f"dic.pkl: {outside} words without a row in W_embedding.npy"


def of_fold(release: Release, fold: Fold) -> Iterator[str]:
    """Yield what is wrong with the arrays of a fold; reads all of them, a part at a time."""
    for (split, name), array in fold.arrays.items():
        count, shape = len(fold.arrays[split, "label"]), release.dims.get(name)
        if shape is not None and array.shape != (count, *shape):
            yield f"{split}_{name}: {array.shape}, expected {(count, *shape)}"
            continue
        if name in _LENGTHS:
            most = release.dims[_LENGTHS[name]][0]
            if np.any((array < 0) | (array > most)):
                yield f"{split}_{name}: lengths beyond 0 … {most}"
        if name == "nlp_trans" and np.any((array < 0) | (array >= release.words[0])):
            yield f"{split}_{name}: words beyond row {release.words[0] - 1}"
        if array.dtype.kind == "f" and not _finite(array):
            yield f"{split}_{name}: values that are not finite"


def against(release: Release, codes: list[str]) -> Iterator[str]:
    """Yield where labels of the arrays differ from the raw release under the published folds.

    Parameters
    ----------
    release : Release
        The folder, and what it should contain.
    codes : list of str
        Class of every turn of the seven classes, in order of the files' paths and turns' names.
    """
    for number in range(1, FOLDS + 1):
        fold, parts = release.fold(number), at_random(len(codes), number)
        names = fold.classes(release.counts)
        for split, part in PARTS.items():
            given = [names[int(n)] for n in fold.arrays[split, "label"]]
            made = [code for code, where in zip(codes, parts, strict=True) if where == part]
            if len(given) != len(made):
                yield f"fold{number:02d}: {split} has {len(given)} utterances, expected {len(made)}"
            elif off := sum(a != b for a, b in zip(given, made, strict=True)):
                yield f"fold{number:02d}: {split}: {off} of {len(made)} labels differ"


def sequence(fold: Fold, number: int) -> list[int] | None:
    """Return the class number of every utterance in the order of the release.

    None if the sizes of the fold are not those of the published rule.
    """
    parts = at_random(sum(fold.sizes), number)
    labels = {PARTS[split]: iter(fold.arrays[split, "label"].tolist()) for split in SPLITS}
    if fold.sizes != tuple(parts.count(part) for part in labels):
        return None
    return [next(labels[part]) for part in parts]


def _finite(array: np.ndarray) -> bool:
    """Return whether all values are finite."""
    parts = range(0, len(array), _ROWS_AT_ONCE)
    return all(np.isfinite(array[i : i + _ROWS_AT_ONCE]).all() for i in parts)
