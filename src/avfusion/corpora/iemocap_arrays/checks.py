"""What `avf verify` checks of IEMOCAP's shared arrays, and which utterance a row is."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.base import COMPUTED, READ, RECOLLECTION, Check, check
from avfusion.corpora.checks import said
from avfusion.corpora.iemocap_arrays.compare import (
    PARTS,
    of_dictionary,
    of_fold,
    of_words,
    sequence,
)
from avfusion.corpora.iemocap_folds import at_random
from avfusion.errors import CorpusError
from avfusion.media.arrays import FOLDS, SPLITS, folder

if TYPE_CHECKING:
    from avfusion.corpora.iemocap_arrays.release import IemocapArraysRelease


AGAIN = "Unpack it again, or ask its authors; `avf arrays FOLDER` looks at all folds."


PICTURES_HZ, OFF_HZ = 3.0, 0.5


def arrays_checks(corpus: "IemocapArraysRelease") -> Iterator[Check]:
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


def _rule(corpus: "IemocapArraysRelease") -> Iterator[Check]:
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


def _steps(corpus: "IemocapArraysRelease") -> Iterator[Check]:
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
