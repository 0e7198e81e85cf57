"""Names of videos that must not be handed on, found in text and replaced."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from avfusion.errors import AvfError
from avfusion.layout import Layout

_WORD = re.compile(r"[\w.-]+")
_DIGIT = re.compile(r"\d")
_PLAIN = 4
_LONG = 6
"""A name of this length is found inside of longer words too, such as of a file name."""
FIELDS = ("video", "videos", "subject", "missing", "set_aside")
"""Columns and keys that hold names of videos or people."""
_LIST = re.compile(r"(\bmissing(?: \(|: )|\bvideos of [\w-]+: )([^).;]*)")
"""A sentence that lists videos: its words and its names."""


@dataclass(frozen=True)
class Names:
    """Corpus -> names of its videos, their files and people.

    Names in `numbers` are digits only, or as short as other words. They are known only where a
    column, a key or a sentence lists videos.
    """

    of_corpus: dict[str, frozenset[str]]
    numbers: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, corpora: Iterable[str], layout: Layout) -> "Names":
        """Read the names from the manifests of some corpora.

        Raises
        ------
        AvfError
            If a corpus has results, but no manifest.
        """
        read = {name: _read(name, layout) for name in corpora}
        return cls({name: pair[0] for name, pair in read.items()},
                   {name: pair[1] for name, pair in read.items()})  # fmt: skip

    def named_in(self, text: str) -> str:
        """Return the first corpus that has a video named in a text; "" if there is none."""
        words = {word.strip(".") for word in _WORD.findall(text)}
        for corpus, names in self.of_corpus.items():
            long = (name for name in names if len(name) >= _LONG or not _WORD.fullmatch(name))
            if not words.isdisjoint(names) or any(name in text for name in long):
                return corpus
        listed = set(_listed(text)) if any(self.numbers.values()) else set()
        return next((c for c, names in self.numbers.items() if not listed.isdisjoint(names)), "")

    def replaced(self, text: str) -> str:
        """Return a text with names replaced by `video`, the longest first.

        A name that could be another word, because it is short or has no digit, stays.
        """
        every = {name for names in self.of_corpus.values() for name in names}
        plain = {name for name in every if len(name) >= _PLAIN and _DIGIT.search(name)}
        for name in sorted(plain, key=len, reverse=True):
            if name in text:
                text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "video", text)
        numbers = {name for names in self.numbers.values() for name in names}
        return _LIST.sub(lambda match: match[1] + _unnamed(match[2], numbers), text)


def _unnamed(listed: str, names: set[str]) -> str:
    return _WORD.sub(lambda word: "video" if word[0].strip(".") in names else word[0], listed)


def _listed(text: str) -> Iterator[str]:
    """Yield what a text holds where names are: in FIELDS of JSON or CSV, and in sentences."""
    for _, names in _LIST.findall(text):
        yield from (word.strip(".") for word in _WORD.findall(names))
    try:
        yield from _values(json.loads(text), "")
    except ValueError:
        lines = csv.DictReader(text.splitlines())
        columns = [name for name in lines.fieldnames or [] if name in FIELDS]
        yield from (row[name] or "" for row in (lines if columns else []) for name in columns)


def _values(value: Any, key: str) -> Iterator[str]:
    """Yield the texts and numbers below the keys FIELDS."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, key)
    elif key in FIELDS:
        yield str(value)


def _read(corpus: str, layout: Layout) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of a corpus, and those that are numbers or as short as other words."""
    path = layout.manifest(corpus)
    if not path.is_file():
        if _has_results(corpus, layout):
            raise AvfError(
                f"{path}: file not found, so names of videos of {corpus}, which its terms do not "
                f"let you hand on, cannot be found in the results. Run: avf verify {corpus}"
            )
        return frozenset(), frozenset()
    table = pd.read_parquet(path, columns=["video", "path", "subject"])
    videos, paths, people = (set(table[name].dropna().astype(str)) for name in table)
    files = {PurePosixPath(name).name for name in paths}
    every = {*videos, *files, *(PurePosixPath(name).stem for name in files)} - {""}
    short = {name for name in people if len(name) < _PLAIN and not _DIGIT.search(name)}
    numbers = {name for name in {*every, *people} if name.isdigit()} | (short - every)
    return frozenset((every | people) - numbers - {""}), frozenset(numbers - {""})


def _has_results(corpus: str, layout: Layout) -> bool:
    """Return whether anything of the results is about a corpus; one that is absent has nothing."""
    if any(layout.results.glob(f"*/{corpus}")) or any(layout.figures.glob(f"{corpus}_*")):
        return True
    scores = layout.tables / "scores.csv"
    return scores.is_file() and corpus in set(pd.read_csv(scores, dtype=str)["corpus"])
