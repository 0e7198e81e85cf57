"""IEMOCAP as the arrays that AMH shares: a video here is one row, already features, no media.

Yoon, Dey, Lee, Jung, ICASSP 2020, arXiv:1912.00846; also read by Rajan, Brutti, Cavallaro, ICASSP
2022, arXiv:2202.09263. The encoders `arrays_…` copy its rows to the clips of a study. It has no
times: steps of MFCC lie `mfcc_hop_s` apart, and an utterance lasts as long as these.
"""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from avfusion.corpora import iemocap_folds as split
from avfusion.corpora.base import Corpus
from avfusion.corpora.iemocap_arrays.compare import PARTS, sequence
from avfusion.corpora.iemocap_folds import at_random
from avfusion.errors import ConfigError, CorpusError
from avfusion.media.arrays import CLASSES, DIMS, FOLDS, SPLITS, WORDS, Fold, Release, folder
from avfusion.schemas import LABELS

ACCESS = """\
Home: github.com/david-yoon/attentive-modality-hopping-for-SER

The authors share the arrays with holders of an IEMOCAP licence: send them its proof, as their page
says. `avf arrays FOLDER` checks all five folds, and with `--tree IEMOCAP_full_release` whether
their labels are those of the raw release.

Unpack it and set the root to the folder that holds folds/fold01 …, W_embedding.npy and dic.pkl
(seven_category_120). Entries fold1 … fold5 differ by `options: {fold: …}` alone."""


class IemocapArraysRelease(Corpus):
    """The files of one release, read into tables."""

    name = "iemocap_arrays"
    media = False
    also = ("iemocap", {"folds": "random", "classes": 7})  # whose numbers it may stand beside
    targets = ()
    delay_s: ClassVar[dict[str, float]] = {}
    rating_hz = 0.0
    licence = (
        "IEMOCAP release form: research of the signing institution; what is derived from its "
        "recordings may not be passed on either."
    )
    obtain = "`avf obtain iemocap_arrays` says how it is had."
    access = ACCESS
    split_given = True

    def __init__(
        self,
        *,
        root: Path,
        fold: int = 1,
        mfcc_hop_s: float = 0.01,
        expect: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(root=root)
        if fold not in range(1, FOLDS + 1):
            raise ConfigError(f"iemocap_arrays: fold is {fold!r}; it is 1 … {FOLDS}.")
        if not mfcc_hop_s > 0:
            raise ConfigError(f"iemocap_arrays: mfcc_hop_s is {mfcc_hop_s!r}; it is above 0.")
        self.number, self.mfcc_hop_s = fold, mfcc_hop_s
        self.release: Release = release_of(self.root, expect or {})
        self.classes = tuple(sorted(self.release.counts.values()))

    def fingerprint_files(self, folder_path: str) -> bool:
        """Other folds are listed by size: their own entries read them."""
        return not folder_path.startswith("folds/") or folder_path == folder(self.number)

    @cached_property
    def fold(self) -> Fold:
        """Its arrays, mapped; refuses a folder without them."""
        if not (self.root / folder(self.number)).is_dir():
            raise CorpusError(
                f"{self.root}: no {folder(self.number)} here; the root is the folder of folds, "
                f"W_embedding.npy and dic.pkl (seven_category_120). {self.obtain}"
            )
        return self.release.fold(self.number)

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """Split -> a name a row; an utterance has one name in all folds, where it can be told."""
        return numbers(self.fold, self.number)

    def videos(self) -> pd.DataFrame:
        """A row an utterance: which row of which arrays it is, and how long it is."""
        parts = [self._rows(of) for of in SPLITS]
        return pd.concat(parts, ignore_index=True)

    def _rows(self, of: str) -> pd.DataFrame:
        steps = np.asarray(self.fold.arrays[of, "audio_seqN"], float).ravel()
        return pd.DataFrame(
            {
                "video": self.names[of],
                "path": f"{folder(self.number)}/{of}_label.npy",
                "partition": PARTS[of],
                "subject": None,
                "voice": None,
                "transcript": None,
                "start_s": 0.0,
                "end_s": np.round(steps * self.mfcc_hop_s, 6),
                "row": np.arange(len(steps)),
            }
        )

    def gold(self) -> pd.DataFrame:
        """Nothing: the arrays hold classes alone."""
        return pd.DataFrame({"video": pd.Series(dtype=str), "time_s": pd.Series(dtype=float)})

    def labels(self) -> pd.DataFrame:
        """The class of each utterance; its number is told by how often it occurs."""
        named = self.fold.classes(self.release.counts)
        rows = [
            (video, named[int(number)])
            for of in SPLITS
            for video, number in zip(self.names[of], self.fold.arrays[of, "label"], strict=True)
        ]
        return pd.DataFrame(rows, columns=list(LABELS))

    def card(self) -> dict[str, Any]:
        """The common card with the fold, its rule in words, and that all speakers are shared."""
        return {
            **super().card(),
            "fold": self.number,
            "split": split.said("random", self.number),
            "speakers_shared": split.SPEAKERS,
        }


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
