"""Which partition the tables report."""

import json
from collections.abc import Collection

import pandas as pd

from avfusion.errors import CorpusError
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.rating import Rating


def reported(rated: Collection[str]) -> str:
    """Return `test`, or `validation` if only validation is rated.

    >>> reported({"train", "validation"}), reported({"validation", "test"}), reported(set())
    ('validation', 'test', 'test')
    """
    return "validation" if "validation" in rated and "test" not in rated else "test"


def reported_in_scores(scores: pd.DataFrame) -> str:
    """Return the partition that is reported, from the scored videos of scores.parquet."""
    return reported(set(scores.loc[scores["videos"] > 0, "partition"]))


def reported_in_corpus(corpus: str, layout: Layout) -> str:
    """Return the partition that is reported, from the rated videos of a corpus.

    Raises
    ------
    CorpusError
        If the corpus was not verified.
    """
    for path in (layout.manifest(corpus), layout.gold(corpus), layout.card(corpus)):
        if not path.is_file():
            raise CorpusError(f"File not found: {path}. Run: avf verify {corpus}")
    rating = Rating.of(json.loads(layout.card(corpus).read_text()))
    manifest = read_table(layout.manifest(corpus), columns=["video", "partition"])
    gold = read_table(layout.gold(corpus)).dropna(subset=list(rating.names), how="all")
    rated = manifest.loc[manifest["video"].isin(gold["video"]), "partition"]
    return reported(set(rated))
