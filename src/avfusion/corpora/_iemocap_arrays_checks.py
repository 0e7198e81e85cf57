"""What `avf verify` checks of IEMOCAP's shared arrays, and which utterance a row is."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avfusion.arrays import CLASSES, DIMS, FOLDS, SPLITS, WORDS, Fold, Release, folder
from avfusion.arrays_faults import PARTS, of_dictionary, of_fold, of_words, sequence
from avfusion.corpora._checks import said
from avfusion.corpora._iemocap_split import at_random
from avfusion.corpora.base import COMPUTED, READ, RECOLLECTION, Check, check
from avfusion.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from avfusion.corpora.iemocap_arrays import IemocapArrays

AGAIN = "Unpack it again, or ask its authors; `avf arrays FOLDER` looks at all folds."
PICTURES_HZ, OFF_HZ = 3.0, 0.5


def release_of(root: Path, expect: dict[str, Any]) -> Release:
    """The release as `expect` states it; refuses what is none of its keys."""
    if strange := sorted(set(expect) - {"counts", "dims", "words"}):
        raise ConfigError(
            f"iemocap_arrays: expect has {strange[0]!r}; it takes counts, dims, words."
        )
    counts = {int(n): name for name, n in expect.get("counts", {}).items()}
    if len(counts) != len(expect.get("counts", {})):
        raise ConfigError(
            "iemocap_arrays: two of expect.counts are equal; a class is told by its count."
        )
    dims = {name: tuple(shape) for name, shape in expect.get("dims", {}).items()}
    if strange := sorted(set(dims) - set(DIMS)):
        raise ConfigError(f"iemocap_arrays: expect.dims has no array {strange[0]!r}.")
    words = tuple(expect.get("words", WORDS))
    return Release(root, {**DIMS, **dims}, words, counts or dict(CLASSES))


def numbers(fold: Fold, number: int) -> dict[str, list[str]]:
    """Split -> a name a row: the utterance's number in the release, if the rule tells it.

    Else a fold's own names, by which no utterance is found again in another fold.
    """
    if sequence(fold, number) is None:
        sizes = zip(SPLITS, fold.sizes, strict=True)
        return {of: [f"fold{number}_{of}_{i:05d}" for i in range(n)] for of, n in sizes}
    parts = at_random(sum(fold.sizes), number)
    return {
        of: [f"utterance_{i:05d}" for i, part in enumerate(parts) if part == PARTS[of]]
        for of in SPLITS
    }


def arrays_checks(corpus: "IemocapArrays") -> Iterator[Check]:
    """All of them; reads every array of the fold once."""
    wrong = list(of_fold(corpus.release, corpus.fold))
    yield check(
        "arrays", not wrong, "shapes, lengths and finite values of the release",
        said(wrong, len(corpus.fold.arrays)), AGAIN, certainty=READ,
    )  # fmt: skip
    wrong = list(of_words(corpus.release))
    yield check(
        "word vectors", not wrong, "W_embedding.npy of the release", said(wrong, 1), AGAIN,
        certainty=READ,
    )  # fmt: skip
    wrong = list(of_dictionary(corpus.release))
    yield check(
        "dictionary", not wrong, "dic.pkl: word -> row, and nothing else", said(wrong, 1),
        "No feature needs it; ask for it again if you want to know the words.", verdict="WARN",
        certainty=READ,
    )  # fmt: skip
    yield from _rule(corpus)
    yield from _steps(corpus)


def _rule(corpus: "IemocapArrays") -> Iterator[Check]:
    fold, own = corpus.fold, corpus.number
    parts = at_random(sum(fold.sizes), own)
    made = tuple(parts.count(part) for part in PARTS.values())
    yield check(
        "random fold", fold.sizes == made, "train/dev/test " + "/".join(map(str, made)),
        "/".join(map(str, fold.sizes)),
        "It is of another rule: an utterance cannot be found again in other folds.",
        verdict="WARN", certainty=COMPUTED,
    )  # fmt: skip
    mine, others, off = sequence(fold, own), [], []
    for number in range(1, FOLDS + 1) if mine else ():
        if number == own or not (corpus.root / folder(number)).is_dir():
            continue
        try:
            theirs = sequence(corpus.release.fold(number), number)
        except CorpusError:
            continue  # that fold's own entry says what is wrong with it
        others.append(number)
        if theirs != mine:
            off.append(f"fold {number}")
    yield check(
        "one order", not off, "the same class of an utterance in every fold",
        said(off, len(others)), "Names of utterances do not mean the same in these folds.",
        verdict="WARN", certainty=COMPUTED,
    )  # fmt: skip


def _steps(corpus: "IemocapArrays") -> Iterator[Check]:
    arrays = corpus.fold.arrays
    audio, video = (
        np.concatenate([np.asarray(arrays[s, f"{name}_seqN"]).ravel() for s in SPLITS])
        for name in ("audio", "video")
    )
    most = corpus.release.dims["audio_mfcc"][0]
    bare, cut = int((video == 0).sum()), int((audio >= most).sum())
    yield check(
        "pictures", True, "known to lack in some utterances",
        f"{len(video):,} utterances, {bare} without a picture (masked, not left out), {cut} cut "
        f"at {most * corpus.mfcc_hop_s:g} s", "",
    )  # fmt: skip
    whole = (video > 0) & (audio > 0) & (audio < most)
    hz = np.median(video[whole] / (audio[whole] * corpus.mfcc_hop_s)) if whole.any() else np.nan
    yield check(
        "pictures a second", bool(abs(hz - PICTURES_HZ) <= OFF_HZ),
        f"about {PICTURES_HZ:g}, if MFCCs are {1000 * corpus.mfcc_hop_s:g} ms apart",
        f"median {hz:.2f}",
        "Times of both are spread over an utterance; only their unit, mfcc_hop_s, is in doubt.",
        certainty=RECOLLECTION,
    )  # fmt: skip
