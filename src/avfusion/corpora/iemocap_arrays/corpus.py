"""IEMOCAP as the feature arrays that the authors of AMH share; a video is one row."""

from collections.abc import Iterator

from avfusion.corpora.check import Check
from avfusion.corpora.iemocap_arrays.checks import arrays_checks
from avfusion.corpora.iemocap_arrays.release import IemocapArraysRelease
from avfusion.registry import corpora


@corpora.add("iemocap_arrays")
class IemocapArrays(IemocapArraysRelease):
    """One fold of the arrays: seven classes, utterances split at random, all speakers shared.

    Parameters
    ----------
    root : Path
        Folder with the folds, W_embedding.npy and dic.pkl.
    fold : int
        1 to 5.
    mfcc_hop_s : float
        Frame shift of the MFCCs in seconds, as the paper states it.
    expect : dict, optional
        What a part of the release holds: `counts` (class: number), `dims` (array: shape) and
        `words` (shape of the word vectors).
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of the arrays, the split rule, the other folds and missing pictures."""
        yield from arrays_checks(self)
