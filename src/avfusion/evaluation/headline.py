"""Scores and comparisons of one corpus under the headline protocol, as the report shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from avfusion.config.study import Study
from avfusion.evaluation import estimates, partitions
from avfusion.evaluation.samples import Samples
from avfusion.evaluation.scored import Scored, read_rules, read_scored, read_scores
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.protocols.protocol import Protocol


@dataclass(frozen=True)
class Headline:
    """Estimates of a corpus on the partition that is reported, each computed on first use.

    Attributes
    ----------
    study
        The study as it concerns this corpus (`Study.scoped`).
    layout
        Paths of the results.
    rule
        The headline protocol.
    scored
        Sums of the runs.
    """

    study: Study
    layout: Layout
    rule: Protocol
    scored: Scored

    @cached_property
    def samples(self) -> Samples:
        """Samples of the crossed bootstrap."""
        return Samples(self.scored, self.study.statistics)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Scores of fusions and references; see `avfusion.evaluation.estimates.estimates`."""
        return estimates.estimates(self.scored, self.study, self.samples)

    @cached_property
    def validation(self) -> pd.DataFrame:
        """The same on the validation partition."""
        corpus = self.scored.corpus
        other = read_scored(corpus, self.study, self.layout, self.rule, "validation")
        return estimates.estimates(other, self.study)

    @cached_property
    def declared(self) -> pd.DataFrame:
        """Declared comparisons; see `avfusion.evaluation.estimates.declared`."""
        rows = self.validation[self.validation["target"] == MEAN]
        means = rows.set_index("fusion")["mean"].to_dict()
        return estimates.declared(self.scored, self.study, means, self.samples)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Exploratory comparisons, see `avfusion.evaluation.estimates.comparisons`."""
        order = estimates.ranking(self.scores)
        return estimates.comparisons(self.scored, self.study, order, self.samples)

    def compared(self) -> Iterator[pd.DataFrame]:
        """Yield the tables of comparisons that have rows, the declared ones first."""
        for name in ("declared", "pairs"):
            if len(table := getattr(self, name)):
                yield table


def read_headline(corpus: str, study: Study, layout: Layout) -> Headline:
    """Read the sums of a scored corpus under the headline protocol.

    Parameters
    ----------
    corpus
        A corpus with scores.
    study
        The study as it concerns this corpus (`Study.scoped`).
    layout
        Paths of the results.
    """
    partition = partitions.reported_in_scores(read_scores(corpus, layout))
    rules = {rule.name: rule for rule in read_rules(corpus, study, layout)}
    rule = rules[study.headline]
    return Headline(study, layout, rule, read_scored(corpus, study, layout, rule, partition))
