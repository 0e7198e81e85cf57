"""Checks of IEMOCAP's shared arrays."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.check import COMPUTED, READ, RECOLLECTION, Check, check
from avfusion.corpora.iemocap_arrays.compare import (
    PARTS,
    of_dictionary,
    of_fold,
    of_words,
    sequence,
)
from avfusion.corpora.iemocap_folds import at_random
from avfusion.corpora.wording import stated
from avfusion.errors import CorpusError
from avfusion.media.arrays import FOLDS, SPLITS, folder

if TYPE_CHECKING:
    from avfusion.corpora.iemocap_arrays.release import IemocapArraysRelease


AGAIN = "Unpack the archive again or ask its authors. To check all folds, run: avf arrays FOLDER"


PICTURES_HZ, OFF_HZ = 3.0, 0.5  # expected rate of pictures, and accepted difference


def arrays_checks(corpus: "IemocapArraysRelease") -> Iterator[Check]:
    """Yield all checks of the arrays; reads every array of the fold once."""
    wrong = list(of_fold(corpus.release, corpus.fold))
    yield check(
        "arrays", not wrong, "shapes, lengths and finite values of the release",
        stated(wrong, len(corpus.fold.arrays)), AGAIN, certainty=READ,
    )  # fmt: skip
    wrong = list(of_words(corpus.release))
    yield check(
        "word vectors", not wrong, "W_embedding.npy of the release", stated(wrong, 1), AGAIN,
        certainty=READ,
    )  # fmt: skip
    wrong = list(of_dictionary(corpus.release))
    yield check(
        "dictionary", not wrong, "dic.pkl maps words to rows, without other content",
        stated(wrong, 1), "No feature uses it. Ask the authors for it if you need the words.",
        verdict="WARN", certainty=READ,
    )  # fmt: skip
    yield from _rule(corpus)
    yield from _steps(corpus)


def _rule(corpus: "IemocapArraysRelease") -> Iterator[Check]:
    """Check that the fold follows the published rule and agrees with the other folds."""
    fold, this = corpus.fold, corpus.number
    parts = at_random(sum(fold.sizes), this)
    sizes = tuple(parts.count(part) for part in PARTS.values())
    yield check(
        "random fold", fold.sizes == sizes, "train/dev/test " + "/".join(map(str, sizes)),
        "/".join(map(str, fold.sizes)),
        "The fold follows another rule. Its utterances cannot be matched with other folds.",
        verdict="WARN", certainty=COMPUTED,
    )  # fmt: skip
    classes, others, off = sequence(fold, this), [], []
    for number in range(1, FOLDS + 1) if classes else ():
        if number == this or not (corpus.root / folder(number)).is_dir():
            continue
        try:
            other = sequence(corpus.release.fold(number), number)
        except CorpusError:
            continue  # reported by the entry of that fold
        others.append(number)
        if other != classes:
            off.append(f"fold {number}")
    yield check(
        "one order", not off, "the same class of an utterance in every fold",
        stated(off, len(others)), "The same name denotes different utterances in these folds.",
        verdict="WARN", certainty=COMPUTED,
    )  # fmt: skip


def _steps(corpus: "IemocapArraysRelease") -> Iterator[Check]:
    """Check the numbers of pictures and MFCC steps."""
    arrays = corpus.fold.arrays
    audio, video = (
        np.concatenate([np.asarray(arrays[s, f"{name}_seqN"]).ravel() for s in SPLITS])
        for name in ("audio", "video")
    )
    most = corpus.release.dims["audio_mfcc"][0]
    bare, cut = int((video == 0).sum()), int((audio >= most).sum())
    yield check(
        "pictures", True, "known to be missing in some utterances",
        f"{len(video):,} utterances, {bare} without a picture (masked, not left out), {cut} cut "
        f"at {most * corpus.mfcc_hop_s:g} s", "",
    )  # fmt: skip
    used = (video > 0) & (audio > 0) & (audio < most)
    hz = np.median(video[used] / (audio[used] * corpus.mfcc_hop_s)) if used.any() else np.nan
    yield check(
        "pictures a second", bool(abs(hz - PICTURES_HZ) <= OFF_HZ),
        f"about {PICTURES_HZ:g} if MFCCs are {1000 * corpus.mfcc_hop_s:g} ms apart",
        f"median {hz:.2f}",
        "Steps of both are spread over the utterance. Only their unit, mfcc_hop_s, is uncertain.",
        certainty=RECOLLECTION,
    )  # fmt: skip
