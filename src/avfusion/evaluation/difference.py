"""One comparison of two fusions, taken from a table of comparisons in either direction."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd

from avfusion.evaluation import wording
from avfusion.evaluation.decisions import Decision, Result, Verdict
from avfusion.evaluation.families import Comparison
from avfusion.evaluation.readings import Posterior

NUMBERS = (
    *("difference", "low", "high", "p", "p_holm", "p_equivalent"),
    *("p_worse", "p_equal", "p_better"),
)
OPPOSITE = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class Difference:
    """The score of `a` minus that of `b`, and what follows from it; printed, it is a sentence.

    Attributes
    ----------
    a, b
        Names of the fusions.
    target
        Target, or `mean` over targets.
    difference, low, high
        Difference of the scores (CCC, or recall of classes) and the ends of its interval over
        people and trainings. The interval is not corrected for the number of comparisons.
    p, p_holm
        Two-sided p of no difference (studentised exchange test), and after Holm's correction
        within the family.
    p_equivalent
        Corrected p of a difference beyond the margin (two one-sided tests).
    p_worse, p_equal, p_better
        Posterior probabilities that `a` is worse by more than the margin, within it, or better.
    units_needed
        Number of people or videos for which the declared difference would be significant; None if
        no number is enough with so few trainings.
    seeds
        Number of trainings of each fusion.
    decision
        `better`, `worse`, `equivalent`, `undecided` or `not compared`, about `a`.
    significant
        Whether p_holm is at most alpha and the interval excludes zero.
    sentence
        The decision with its evidence in words.
    family
        Comparisons that were corrected together: `baselines`, `pairs` or `references`.
    exploratory
        Whether the family was not declared in advance; it supports no claim.
    """

    a: str
    b: str
    target: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    p_equivalent: float
    p_worse: float
    p_equal: float
    p_better: float
    units_needed: int | None
    seeds: int
    decision: str
    significant: bool
    sentence: str
    family: str
    exploratory: bool

    def __str__(self) -> str:
        return self.sentence

    def reversed(self, how: Decision, unit: str) -> "Difference":
        """Return the same comparison as `b` minus `a`; `unit` is the word for people or videos."""
        turned = replace(
            self,
            a=self.b,
            b=self.a,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            p_worse=self.p_better,
            p_better=self.p_worse,
            decision=OPPOSITE.get(self.decision, self.decision),
        )
        if turned.decision == "not compared":
            return turned
        return replace(turned, sentence=wording.sentence(turned._result(), how, unit))

    def _result(self) -> Result:
        return Result(
            comparison=Comparison(self.a, self.b, self.target),
            value=self.difference,
            low=self.low,
            high=self.high,
            p=self.p,
            p_holm=self.p_holm,
            p_equivalent=self.p_equivalent,
            p_smaller=float("nan"),
            posterior=Posterior(self.p_worse, self.p_equal, self.p_better),
            units_needed=self.units_needed,
            verdict=cast(Verdict, self.decision),
        )


def between(
    tables: Iterable[pd.DataFrame], names: tuple[str, str], target: str, how: Decision, unit: str
) -> Difference | None:
    """Return the comparison of two fusions from the first table that has it in a direction.

    Parameters
    ----------
    tables
        Tables of `avfusion.evaluation.estimates.decided`, with rows.
    names
        Fusions a and b.
    target
        Target, or `mean`.
    how
        How the comparisons were decided.
    unit
        Word for a unit: `video` or `subject`.

    Returns
    -------
    Difference or None
        a minus b; None if no table compares the two.
    """
    a, b = names
    for table in tables:
        of_target = table[table["target"] == target]
        for first, second in ((a, b), (b, a)):
            rows = of_target[(of_target["fusion"] == first) & (of_target["other"] == second)]
            if len(rows):
                one = _of_row(rows.iloc[0].to_dict())
                return one if first == a else one.reversed(how, unit)
    return None


def _of_row(row: dict[str, Any]) -> Difference:
    numbers: dict[str, Any] = {name: float(row[name]) for name in NUMBERS}
    needed = row["units_needed"]
    return Difference(
        a=str(row["fusion"]),
        b=str(row["other"]),
        target=str(row["target"]),
        **numbers,
        units_needed=None if pd.isna(needed) else int(needed),
        seeds=int(row["seeds"]),
        decision=str(row["decision"]),
        significant=bool(row["significant"]),
        sentence=str(row["verdict"]),
        family=str(row["family"]),
        exploratory=bool(row["exploratory"]),
    )
