"""Caveats about the recordings of a corpus: who is in its partitions, and what is odd in files."""

import re
from collections import Counter

from avfusion.layout import Layout
from avfusion.registry import corpora
from avfusion.report.inputs import read, read_json

MOST = 4
"""Most kinds of warnings that a caveat lists."""


def synthetic(kind: str) -> bool:
    """Return whether a program made the recordings of a class of corpora.

    >>> synthetic("demo"), synthetic("recola")
    (True, False)
    """
    return corpora.known(kind) and bool(corpora.constant(kind, "synthetic"))


def same_people(corpus: str, layout: Layout) -> list[str]:
    """Return a caveat if the partitions of a corpus show the same people."""
    if not read_json(layout.card(corpus)).get("people_shared"):
        return []
    return [
        f"Warning: train, validation and test of {corpus} show the same people, because it has "
        f"fewer than three. Scores say how well a model continues these recordings; they cannot "
        f"show how well it works for a new person."
    ]


def media_warnings(corpus: str, layout: Layout) -> list[str]:
    """Return a caveat that counts the warnings of `avf media` by kind; empty without warnings."""
    folder = layout.media(corpus)
    index = read(folder / "index.parquet")
    if "warnings" not in index:
        return []
    odd = index[index["warnings"].fillna("") != ""]
    texts = [
        read_json(folder / row.video / "meta.json").get("warnings") for row in odd.itertuples()
    ]
    kinds = Counter(kind for each in texts for kind in {_kind(text) for text in each or ()})
    if not kinds:
        return []
    listed = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(MOST))
    more = f" and {len(kinds) - MOST} other kinds" if len(kinds) > MOST else ""
    return [
        f"`avf media` warns about {len(odd)} of {len(index)} videos of {corpus}: {listed}{more}. "
        f"See the column `warnings` of media/{corpus}/index.parquet."
    ]


def _kind(text: str) -> str:
    """Return a warning without its numbers and details.

    >>> _kind("the followed person may change at 2.1 s (cut), 6.8 s")
    'the followed person may change'
    >>> _kind("45 of 50 frames could be read")
    '… of … frames could be read'
    """
    start = re.split("[:;,]", re.sub(r" \([^)]*\)", "", text))[0]
    return re.sub(r"\d[\d.]*", "…", start).removesuffix(" at … s")
