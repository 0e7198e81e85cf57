"""When the frames of a corpus' videos are shown: read once, kept by their SHA-256."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from avfusion.corpora.base import Corpus

if TYPE_CHECKING:
    from avfusion.media.timing import Timing


def clocks(corpus: Corpus, paths: Mapping[str, str]) -> "dict[str, Timing]":
    """Name -> timing of the videos at these paths below the root; those that are here.

    A video that cannot be read has a `reason` in its timing.
    """
    from avfusion.media.timing import timings

    found = {name: (corpus.tree.find(path) or (0, None))[1] for name, path in paths.items()}
    here = [(name, corpus.root / paths[name], sha) for name, sha in found.items() if sha]
    return timings(here, corpus.cache / "times")
