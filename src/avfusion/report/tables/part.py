"""One corpus of a study as the tables show it: estimates under every protocol, pairs under one."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from avfusion.config.tasks import scoped
from avfusion.evaluation import estimates
from avfusion.evaluation.estimates import Scored
from avfusion.evaluation.protocol import Protocol
from avfusion.layout import Layout


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
        return estimates.ranking(self.headline)

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
    runs = estimates.read_scores(corpus, layout)
    partition = estimates.reported_partition(runs)
    rules = estimates.read_rules(corpus, study, layout)
    tables, validation = [], []
    for rule in rules:
        scored = estimates.read_scored(corpus, study, layout, rule, partition)
        tables.append(estimates.estimates(scored, study))
        other = estimates.read_scored(corpus, study, layout, rule, "validation")
        validation.append(estimates.estimates(other, study))
        if rule.name == study["headline"]:
            first, headline = scored, tables[-1]
    pairs = estimates.comparisons(first, study, estimates.ranking(headline))
    whole = _with_errors(pd.concat(tables), runs, partition)
    others = _with_errors(pd.concat(validation), runs, "validation")
    return Part(first, rules, whole, others, headline, pairs)


def error_words(part: Part, layout: Layout) -> list[str]:
    """How far off predictions are, where the corpus has a unit of its own; one sentence or none."""
    rating = estimates.read_rating(part.scored.corpus, layout)
    if rating.plain or "mae" not in part.scores:
        return []
    rows = part.scores[part.scores["protocol"] == part.scored.rule.name].set_index("fusion")
    mean = rows.loc[rows["target"] == "mean", "mae"].dropna()
    said = ", ".join(f"{name} {mean[name]:.2f}" for name in part.order if name in mean)
    scale = f"{rating.low:g} to {rating.high:g}"
    return [f"Mean absolute error on the scale of {scale}: {said}."] if said else []


def _with_errors(table: pd.DataFrame, runs: pd.DataFrame, partition: str) -> pd.DataFrame:
    """Columns `mae, rmse`: each run's error in the corpus' unit, the mean over seeds."""
    if "mae" not in runs:  # of classes there is none
        return table
    keys = ["protocol", "fusion", "target"]
    own = runs[runs["partition"] == partition].groupby(keys)[["mae", "rmse"]].mean()
    return table.join(own, keys)
