"""IEMOCAP as the arrays that AMH shares: a video here is one row, already features, no media."""

from collections.abc import Iterator

from avfusion.corpora.base import Check
from avfusion.corpora.iemocap_arrays.checks import arrays_checks
from avfusion.corpora.iemocap_arrays.release import IemocapArraysRelease
from avfusion.registry import corpora


@corpora.add("iemocap_arrays")
class IemocapArrays(IemocapArraysRelease):
    """Fold `fold` of the release: seven classes, utterances at random, speakers in all parts.

    `mfcc_hop_s` is the frame shift that the paper states. `expect` replaces what is to be found
    in a part of the release: `counts` (class: number), `dims` (array: shape), `words`.
    """

    def checks(self) -> Iterator[Check]:
        """Shapes, lengths and values, the split's rule, other folds, and what has no picture."""
        yield from arrays_checks(self)
