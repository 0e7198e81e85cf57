"""What is wrong with IEMOCAP's shared arrays, a sentence each; nothing is loaded whole."""

from collections.abc import Iterator

import numpy as np

from avfusion.corpora.iemocap_folds import at_random
from avfusion.errors import CorpusError
from avfusion.media.arrays import FOLDS, SPLITS, Fold, Release, mapped, read_words

PARTS = dict(zip(SPLITS, ("train", "validation", "test"), strict=True))
"""The arrays' name of a partition -> ours."""


_LENGTHS = {"audio_seqN": "audio_mfcc", "video_seqN": "video"}


_ROWS_AT_ONCE = 64  # of MFCCs: 30 MB


def faults(release: Release, sizes: list[tuple[int, ...]] | None = None) -> Iterator[str]:
    """What is wrong, a sentence each; sizes: of train, dev and test, fold by fold."""
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
    """What is wrong with W_embedding.npy."""
    try:
        vectors = mapped(release.root / "W_embedding.npy")
    except CorpusError as error:
        yield str(error)
        return
    if vectors.shape != release.words:
        yield f"W_embedding.npy: {vectors.shape}, expected {release.words}"
    elif np.any(vectors[0]):
        yield "W_embedding.npy: row 0, which pads, is not zero"


def of_dictionary(release: Release) -> Iterator[str]:
    """What is wrong with dic.pkl, which says in letters what a word is; no feature needs it."""
    try:
        rows = read_words(release.root / "dic.pkl").values()
    except CorpusError as error:
        yield str(error)
        return
    if outside := sum(not 0 <= row < release.words[0] for row in rows):
        yield f"dic.pkl: {outside} words without a row in W_embedding.npy"


def of_fold(release: Release, fold: Fold) -> Iterator[str]:
    """What is wrong with one fold's arrays; reads them all, a part at a time."""
    for (split, name), array in fold.arrays.items():
        count, own = len(fold.arrays[split, "label"]), release.dims.get(name)
        if own is not None and array.shape != (count, *own):
            yield f"{split}_{name}: {array.shape}, expected {(count, *own)}"
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
    """Where the arrays' labels are not those of the raw release under the published folds.

    codes: the class of every turn of the seven, in order of files' paths and turns' names.
    """
    for number in range(1, FOLDS + 1):
        fold, parts = release.fold(number), at_random(len(codes), number)
        names = fold.classes(release.counts)
        for split, part in PARTS.items():
            given = [names[int(n)] for n in fold.arrays[split, "label"]]
            made = [code for code, where in zip(codes, parts, strict=True) if where == part]
            if len(given) != len(made):
                yield f"fold{number:02d}: {split} has {len(given)} utterances, made {len(made)}"
            elif off := sum(a != b for a, b in zip(given, made, strict=True)):
                yield f"fold{number:02d}: {split}: {off} of {len(made)} labels are others"


def sequence(fold: Fold, number: int) -> list[int] | None:
    """Numbers of the classes of all utterances in the release's order, as this fold has them.

    None where the fold's parts are not as large as those of the published rule.
    """
    parts = at_random(sum(fold.sizes), number)
    found = {PARTS[split]: iter(fold.arrays[split, "label"].tolist()) for split in SPLITS}
    if fold.sizes != tuple(parts.count(part) for part in found):
        return None
    return [next(found[part]) for part in parts]


def _finite(array: np.ndarray) -> bool:
    parts = range(0, len(array), _ROWS_AT_ONCE)
    return all(np.isfinite(array[i : i + _ROWS_AT_ONCE]).all() for i in parts)
