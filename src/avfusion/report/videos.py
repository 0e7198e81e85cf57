"""Names of videos that must not be handed on, found in text and replaced."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from avfusion.layout import Layout

_WORD = re.compile(r"[\w.-]+")
_DIGIT = re.compile(r"\d")
_PLAIN = 4
_LONG = 6
"""A name of this length is found inside of longer words too, such as of a file name."""


@dataclass(frozen=True)
class Names:
    """Corpus -> names of its videos and their files, without names that are numbers only."""

    of_corpus: dict[str, frozenset[str]]

    @classmethod
    def of(cls, corpora: Iterable[str], layout: Layout) -> "Names":
        """Read the names from the manifests of some corpora; one that was not verified has none."""
        return cls({name: _read(name, layout) for name in corpora})

    def named_in(self, text: str) -> str:
        """Return the first corpus of which a text names a video; "" if it names none."""
        words = {word.strip(".") for word in _WORD.findall(text)}
        for corpus, names in self.of_corpus.items():
            long = (name for name in names if len(name) >= _LONG or not _WORD.fullmatch(name))
            if not words.isdisjoint(names) or any(name in text for name in long):
                return corpus
        return ""

    def replaced(self, text: str) -> str:
        """Return a text with names replaced by `video`, the longest first.

        A name that could be another word, because it is short or has no digit, stays.
        """
        every = {name for names in self.of_corpus.values() for name in names}
        plain = {name for name in every if len(name) >= _PLAIN and _DIGIT.search(name)}
        for name in sorted(plain, key=len, reverse=True):
            if name in text:
                text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "video", text)
        return text


def _read(corpus: str, layout: Layout) -> frozenset[str]:
    path = layout.manifest(corpus)
    if not path.is_file():
        return frozenset()
    table = pd.read_parquet(path, columns=["video", "path"]).dropna().astype(str)
    files = {PurePosixPath(name).name for name in table["path"]}
    every = {*table["video"], *files, *(PurePosixPath(name).stem for name in files)}
    return frozenset(name for name in every if name and not name.isdigit())
