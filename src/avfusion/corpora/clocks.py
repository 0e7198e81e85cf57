"""Presentation times of the videos of a corpus, cached by the SHA-256 of the file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from avfusion.corpora.base import Corpus

if TYPE_CHECKING:
    from avfusion.media.timing import Timing


def clocks(corpus: Corpus, paths: Mapping[str, str]) -> "dict[str, Timing]":
    """Return name -> timing of the videos that exist among `paths` (name -> path below the root).

    The timing of a video that cannot be read has a `reason`.
    """
    from avfusion.media.timing import timings

    digests = {name: (corpus.tree.find(path) or (0, None))[1] for name, path in paths.items()}
    present = [(name, corpus.root / paths[name], sha) for name, sha in digests.items() if sha]
    timed = timings(present, corpus.cache / "times", corpus.time_zero)
    return {name: timed[name] for name, _, _ in present}  # threads finish in any order
