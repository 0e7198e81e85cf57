"""One corpus of a study as the tables show it: estimates under every protocol, pairs under one."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from avfusion.layout import Layout
from avfusion.protocol import Protocol, scoped
from avfusion.report import _estimate
from avfusion.report._estimate import Scored


@dataclass(frozen=True)
class Part:
    """What was scored under the headline protocol, and the tables made of it."""

    scored: Scored
    rules: list[Protocol]
    scores: pd.DataFrame  # all protocols, reported partition
    validation: pd.DataFrame  # all protocols, validation
    headline: pd.DataFrame  # rows of `scores` under the headline protocol
    pairs: pd.DataFrame  # headline protocol; empty with a single fusion

    @property
    def order(self) -> list[str]:
        """Fusions, best first."""
        return _estimate.ranking(self.headline)

    @property
    def mean_pairs(self) -> pd.DataFrame:
        """Comparisons in the mean CCC."""
        return self.pairs[self.pairs["target"] == "mean"] if len(self.pairs) else self.pairs

    @property
    def tied(self) -> list[str]:
        """The best fusion and all that cannot be told apart from it; empty without a score."""
        rows = self.headline[(self.headline["target"] == "mean") & self.headline["mean"].notna()]
        if not len(rows):
            return []
        best, pairs = rows.iloc[0]["fusion"], self.mean_pairs
        if len(pairs):
            pairs = pairs[(pairs["fusion"] == best) & pairs["difference"].notna()]
            pairs = pairs[~pairs["told_apart"]]
        return [best, *(pairs["other"] if len(pairs) else [])]


def read_part(corpus: str, study: dict[str, Any], layout: Layout) -> Part:
    """Estimates of a scored corpus, on test where it is rated, else on validation."""
    study = scoped(study, corpus)
    partition = _estimate.reported_partition(_estimate.read_scores(corpus, layout))
    rules = _estimate.read_rules(corpus, study, layout)
    tables, validation = [], []
    for rule in rules:
        scored = _estimate.read_scored(corpus, study, layout, rule, partition)
        tables.append(_estimate.estimates(scored, study))
        other = _estimate.read_scored(corpus, study, layout, rule, "validation")
        validation.append(_estimate.estimates(other, study))
        if rule.name == study["headline"]:
            first, headline = scored, tables[-1]
    pairs = _estimate.comparisons(first, study, _estimate.ranking(headline))
    return Part(first, rules, pd.concat(tables), pd.concat(validation), headline, pairs)
