"""Input of the tables: estimates of each scored corpus, and the corpora without scores."""

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from avfusion.config.availability import Absence
from avfusion.config.baseline import REFERENCES
from avfusion.config.study import Study
from avfusion.evaluation import estimates, partitions
from avfusion.evaluation.headline import read_headline
from avfusion.evaluation.scored import Scored, read_rating, read_rules, read_scored, read_scores
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.protocols.protocol import Protocol
from avfusion.report import recordings, scaling, sentences
from avfusion.report.absent import absences
from avfusion.report.absent import scored as here
from avfusion.report.compared import against
from avfusion.report.format import decimals
from avfusion.report.marks import Marks


@dataclass(frozen=True)
class Part:
    """Estimates of one corpus under every protocol, and its pairs under the headline protocol."""

    scored: Scored
    rules: list[Protocol]
    scores: pd.DataFrame  # all protocols, reported partition
    validation: pd.DataFrame  # all protocols, validation
    headline: pd.DataFrame  # rows of `scores` under the headline protocol
    pairs: pd.DataFrame  # headline protocol, exploratory; empty with a single fusion
    declared: pd.DataFrame = field(default_factory=pd.DataFrame)  # against two baselines
    marks: Marks = field(default_factory=Marks)
    scaling: pd.DataFrame = field(default_factory=pd.DataFrame)  # see report.scaling
    same_people: list[str] = field(default_factory=list)  # see report.recordings
    media_warnings: list[str] = field(default_factory=list)

    @property
    def order(self) -> list[str]:
        """Fusions and references, best first."""
        return estimates.ranking(self.headline)

    def digits(self, target: str) -> dict[str, int]:
        """Return the digits that the score of each fusion needs to differ from the others."""
        rows = self.headline[self.headline["target"] == target]
        return dict(zip(rows["fusion"], decimals(list(rows["mean"])), strict=True))

    @property
    def mean_pairs(self) -> pd.DataFrame:
        """Comparisons in the mean CCC."""
        return self.pairs[self.pairs["target"] == "mean"] if len(self.pairs) else self.pairs

    def caveats(self, study: Study) -> list[str]:
        """Return what limits the result, runs that did not train first."""
        limits = [*self.marks.caveats(), *scaling.caveats(self.scaling), *self.same_people]
        limits += sentences.caveats(self.scored, study)
        limits += sentences.references(self.headline, study)
        return [*limits, *sentences.constant_gold(self.scored), *self.media_warnings]

    @cached_property
    def tied(self) -> list[str]:
        """The best fusion and those not significantly worse; empty without scores.

        The best fusion comes first. There is none if all fusions have exactly the same score. A
        declared comparison with the best fusion counts before the exploratory one.
        """
        rows = self.headline[(self.headline["target"] == MEAN) & self.headline["mean"].notna()]
        rows = rows[~rows["fusion"].isin(REFERENCES)]
        if not len(rows) or (len(rows) > 1 and rows["mean"].nunique() == 1):
            return []
        best, *others = rows["fusion"]
        tables = [table for table in (self.declared, self.pairs) if len(table)]
        compared = {name: against(tables, best, name, MEAN) for name in others}
        return [best, *(n for n, row in compared.items() if row and not row["significant"])]


@dataclass(frozen=True)
class TableData:
    """Input of every function in the registry of tables.

    Parameters
    ----------
    study
        The settings of the study.
    layout
        Paths of the results folder.
    parts
        One entry per scored corpus, in the study's order.
    absent
        Corpora without scores, grouped by reason.
    """

    study: Study
    layout: Layout
    parts: list[Part]
    absent: list[Absence]

    @classmethod
    def read(cls, study: Study, layout: Layout) -> "TableData":
        """Read the scores of every corpus of the study."""
        listed = [
            c for c in study.corpora if study.task(c) != "verification" or not here(c, layout)
        ]
        scored = {c: len(read_scores(c, layout)) > 0 for c in listed}
        parts = [read_part(corpus, study, layout) for corpus, known in scored.items() if known]
        absent = absences([corpus for corpus, known in scored.items() if not known], study, layout)
        return cls(study, layout, parts, absent)


def read_part(corpus: str, study: Study, layout: Layout) -> Part:
    """Return the estimates of a scored corpus.

    They are of the test partition if it has ratings, otherwise of validation.
    """
    study = study.scoped(corpus)
    runs = read_scores(corpus, layout)
    partition = partitions.reported_in_scores(runs)
    rules = read_rules(corpus, study, layout)
    first = read_headline(corpus, study, layout)
    tables, validation = [], []
    for rule in rules:
        if rule.name == study.headline:
            tables.append(first.scores)
            validation.append(first.validation)
            continue
        scored = read_scored(corpus, study, layout, rule, partition)
        tables.append(estimates.estimates(scored, study))
        other = read_scored(corpus, study, layout, rule, "validation")
        validation.append(estimates.estimates(other, study))
    marks = Marks.read([corpus], study, layout)
    complete = _with_errors(pd.concat(tables), runs, partition)
    others = _with_errors(pd.concat(validation), runs, "validation")
    return Part(
        scored=first.scored,
        rules=rules,
        scores=complete.assign(did_not_train=complete["fusion"].map(marks.count)),
        validation=others,
        headline=first.scores,
        pairs=marks.of_pairs(first.pairs),
        declared=marks.of_pairs(first.declared),
        marks=marks,
        scaling=scaling.scaling(corpus, study, layout),
        same_people=recordings.same_people(corpus, layout),
        media_warnings=recordings.media_warnings(corpus, layout),
    )


def error_words(part: Part, layout: Layout) -> list[str]:
    """Return a sentence with mean absolute errors if the corpus has a rating scale of its own."""
    rating = read_rating(part.scored.corpus, layout)
    if rating.plain or "mae" not in part.scores:
        return []
    rows = part.scores[part.scores["protocol"] == part.scored.rule.name].set_index("fusion")
    mean = rows.loc[rows["target"] == "mean", "mae"].dropna()
    listed = ", ".join(f"{name} {mean[name]:.2f}" for name in part.order if name in mean)
    scale = f"{rating.low:g} to {rating.high:g}"
    return [f"Mean absolute error on the scale of {scale}: {listed}."] if listed else []


def _with_errors(table: pd.DataFrame, runs: pd.DataFrame, partition: str) -> pd.DataFrame:
    """Add the columns `mae` and `rmse` (unit of the corpus), averaged over seeds."""
    if "mae" not in runs:  # classes have no such error
        return table
    keys = ["protocol", "fusion", "target"]
    errors = runs[runs["partition"] == partition].groupby(keys)[["mae", "rmse"]].mean()
    return table.join(errors, keys)
