"""Read IEMOCAP from the feature arrays that the authors of AMH share.

A video in the study is one row of the arrays. There is no audio or video; the encoders `arrays_…`
copy rows to the clips of a study. The arrays have no times. MFCC steps are taken to be
`mfcc_hop_s` apart, and an utterance is as long as its steps. Yoon, Dey, Lee, Jung, ICASSP 2020,
arXiv:1912.00846; also used by Rajan, Brutti, Cavallaro, ICASSP 2022, arXiv:2202.09263.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

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

The authors share the arrays with holders of an IEMOCAP licence. Send them proof of your licence as
described on their page. `avf arrays FOLDER` checks all five folds. With
`--tree IEMOCAP_full_release` it also compares their labels with the raw release.

Unpack the archive and set the root to the folder with folds/fold01 to fold05, W_embedding.npy and
dic.pkl (seven_category_120). The entries fold1 to fold5 differ only in `options: {fold: …}`."""


class IemocapArraysRelease(Corpus):
    """The arrays of one fold as tables: utterances and their classes."""

    name = "iemocap_arrays"
    media = False
    also = ("iemocap", {"folds": "random", "classes": 7})  # corpus with comparable published scores
    targets = ()
    rating_hz = 0.0
    licence = (
        "IEMOCAP release form: research of the signing institution; data derived from its "
        "recordings may not be passed on either."
    )
    obtain = "For how to request access, run: avf obtain iemocap_arrays"
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
            raise ConfigError(f"iemocap_arrays: fold is {fold!r}; expected 1 … {FOLDS}.")
        if not mfcc_hop_s > 0:
            raise ConfigError(f"iemocap_arrays: mfcc_hop_s is {mfcc_hop_s!r}; expected > 0.")
        self.number, self.mfcc_hop_s = fold, mfcc_hop_s
        self.release: Release = release_of(self.root, expect or {})
        self.classes = tuple(sorted(self.release.counts.values()))

    def fingerprint_files(self, folder_path: str) -> bool:
        """Return False for the other folds, which have their own entries in a study."""
        return not folder_path.startswith("folds/") or folder_path == folder(self.number)

    @cached_property
    def fold(self) -> Fold:
        """The memory-mapped arrays of the fold; raises `CorpusError` if there are none."""
        if not (self.root / folder(self.number)).is_dir():
            raise CorpusError(
                f"{self.root}: no folder {folder(self.number)}. Set the root to the folder with "
                f"folds, W_embedding.npy and dic.pkl (seven_category_120). {self.obtain}"
            )
        return self.release.fold(self.number)

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """Names of the utterances of each split; see `utterance_names`."""
        return utterance_names(self.fold, self.number)

    def videos(self) -> pd.DataFrame:
        """Return one row per utterance, with its row in the arrays and its duration."""
        parts = [self._rows(name) for name in SPLITS]
        return pd.concat(parts, ignore_index=True)

    def _rows(self, name: str) -> pd.DataFrame:
        """Return the manifest of one split."""
        steps = np.asarray(self.fold.arrays[name, "audio_seqN"], float).ravel()
        return pd.DataFrame(
            {
                "video": self.names[name],
                "path": f"{folder(self.number)}/{name}_label.npy",
                "partition": PARTS[name],
                "subject": None,
                "voice": None,
                "transcript": None,
                "start_s": 0.0,
                "end_s": np.round(steps * self.mfcc_hop_s, 6),
                "row": np.arange(len(steps)),
            }
        )

    def gold(self) -> pd.DataFrame:
        """Return an empty table, because the arrays contain only classes."""
        return pd.DataFrame({"video": pd.Series(dtype=str), "time_s": pd.Series(dtype=float)})

    def labels(self) -> pd.DataFrame:
        """Return the class of each utterance; class numbers are identified by their frequency."""
        classes = self.fold.classes(self.release.counts)
        rows = [
            (video, classes[int(number)])
            for name in SPLITS
            for video, number in zip(self.names[name], self.fold.arrays[name, "label"], strict=True)
        ]
        return pd.DataFrame(rows, columns=list(LABELS))

    def card(self) -> dict[str, Any]:
        """Return the common card with the fold, its rule and the number of shared speakers."""
        return {
            **super().card(),
            "fold": self.number,
            "split": split.rule("random", self.number),
            "speakers_shared": split.SPEAKERS,
        }


def release_of(root: Path, expect: dict[str, Any]) -> Release:
    """Return the release with the counts and shapes of the option `expect`.

    Raises `ConfigError` for an unknown key, an unknown array or two equal counts.
    """
    if strange := sorted(set(expect) - {"counts", "dims", "words"}):
        raise ConfigError(
            f"iemocap_arrays: expect has {strange[0]!r}; expected only counts, dims, words."
        )
    counts = {int(n): name for name, n in expect.get("counts", {}).items()}
    if len(counts) != len(expect.get("counts", {})):
        raise ConfigError(
            "iemocap_arrays: two of expect.counts are equal, but counts identify the classes."
        )
    dims = {name: tuple(shape) for name, shape in expect.get("dims", {}).items()}
    if strange := sorted(set(dims) - set(DIMS)):
        raise ConfigError(f"iemocap_arrays: expect.dims has no array {strange[0]!r}.")
    words = tuple(expect.get("words", WORDS))
    return Release(root, {**DIMS, **dims}, words, counts or dict(CLASSES))


def utterance_names(fold: Fold, number: int) -> dict[str, list[str]]:
    """Return the names of the utterances of each split, one per row.

    If the fold follows the published rule, a name is the utterance's number in the release and is
    the same in every fold. Otherwise the names are valid only within this fold.
    """
    if sequence(fold, number) is None:
        sizes = zip(SPLITS, fold.sizes, strict=True)
        return {name: [f"fold{number}_{name}_{i:05d}" for i in range(n)] for name, n in sizes}
    parts = at_random(sum(fold.sizes), number)
    return {
        name: [f"utterance_{i:05d}" for i, part in enumerate(parts) if part == PARTS[name]]
        for name in SPLITS
    }
