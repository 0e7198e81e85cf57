"""Corrected tests and verdicts of a family of comparisons.

Three questions are asked of each comparison: does it differ from zero, does it lie within the
margin, is it smaller than published. Holm's correction covers each question within a family.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from avfusion.evaluation import crossed, exchanged, readings
from avfusion.evaluation.crossed import Estimate, Sample
from avfusion.evaluation.families import Comparison, Family
from avfusion.evaluation.significance import holm, significant

Pairs = Callable[[str, str], tuple[Sample, Sample] | None]
"""Names of two fusions -> their samples on common trainings; None if they have none."""

Verdict = Literal["better", "worse", "equivalent", "smaller than published", "undecided"]


@dataclass(frozen=True)
class Decision:
    """How comparisons are decided.

    Parameters
    ----------
    declared
        Difference for which the needed units are computed, where none is published.
    alpha
        Level of significance within a family.
    power
        Power for which the needed units are computed.
    seed
        Seed of the random generators.
    margin
        Largest difference that counts as practically equal.
    """

    margin: float = 0.02
    declared: float = 0.03
    alpha: float = 0.05
    power: float = 0.8
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """A comparison with its interval, its p values, corrected and not, and its verdict.

    Parameters
    ----------
    comparison
        Declared comparison.
    value, low, high
        Difference and its uncorrected interval over people and trainings.
    p, p_holm
        Two-sided p of no difference.
    p_equivalent
        Corrected p of a difference beyond the margin.
    p_smaller
        Corrected p of a difference as large as published; NaN without one.
    posterior
        Probabilities of worse, practically equal and better.
    units_needed
        Units that the published or declared difference needs; None if no number suffices.
    verdict
        Verdict on `comparison.first`.
    """

    comparison: Comparison
    value: float
    low: float
    high: float
    p: float
    p_holm: float
    p_equivalent: float
    p_smaller: float
    posterior: readings.Posterior
    units_needed: int | None
    verdict: Verdict


def decide(
    family: Family, pair_of: Pairs, targets: Sequence[str], how: Decision, apart: bool = False
) -> list[Result | None]:
    """Test the comparisons of a family and correct them together.

    Parameters
    ----------
    family
        Declared comparisons.
    pair_of
        Returns the samples of two fusions.
    targets
        Names of the K targets and, last, their mean.
    how
        Margin, level and declared difference.
    apart
        Correct the comparisons of each target apart from those of other targets.

    Returns
    -------
    list of Result or None
        One result per comparison, in the declared order; None if two fusions have no training in
        common. Such a comparison is not part of the correction.
    """
    pairs = {(one.first, one.second): pair_of(one.first, one.second) for one in family.comparisons}
    known = {names: pair for names, pair in pairs.items() if pair is not None}
    each = crossed.differences(list(known.values()), how.alpha, how.seed)
    estimates = {names: one.without_draws() for names, one in zip(known, each, strict=True)}
    results: dict[Comparison, Result | None] = {}
    for target in dict.fromkeys(one.target if apart else None for one in family.comparisons):
        together = [one for one in family.comparisons if target in (None, one.target)]
        places = [targets.index(one.target) for one in together]
        p = _p(family, together, places, known, estimates, how)
        corrected = np.stack([holm(column) for column in p.T], axis=1)
        compared = max(int(np.isfinite(p[:, 0]).sum()), 1)
        for one, k, raw, row in zip(together, places, p[:, 0], corrected, strict=True):
            of = estimates.get((one.first, one.second))
            results[one] = _result(one, of, k, float(raw), row, how, compared) if of else None
    return [results[one] for one in family.comparisons]


def _p(
    family: Family,
    together: Sequence[Comparison],
    places: Sequence[int],
    pairs: Mapping[tuple[str, str], tuple[Sample, Sample]],
    estimates: Mapping[tuple[str, str], Estimate],
    how: Decision,
) -> np.ndarray:
    """Return p of the three questions of comparisons that are corrected together, (C, 3).

    Few corrected p of an exploratory family matter; the tail beyond its draws is Student's.
    """
    p = np.full((len(together), 3), np.nan)
    names = {i: (one.first, one.second) for i, one in enumerate(together)}
    made = [i for i, both in names.items() if both in pairs]
    tests = [(*pairs[names[i]], estimates[names[i]], places[i]) for i in made]
    draws = exchanged.LEAST if family.exploratory else exchanged.draws_for(len(together), how.alpha)
    p[made, 0] = exchanged.p_values(tests, draws, how.seed)
    for i in made:
        p[i, 1:] = _p_margin(together[i], estimates[names[i]], places[i], how)
    return p


def _p_margin(
    comparison: Comparison, estimate: Estimate, k: int, how: Decision
) -> tuple[float, float]:
    """Return p of a difference beyond the margin, and of one as large as published."""
    published = np.nan if comparison.published is None else comparison.published
    return (
        readings.p_equivalent(estimate, how.margin, k),
        readings.p_smaller(estimate, published, k),
    )


def _result(
    comparison: Comparison,
    estimate: Estimate,
    k: int,
    p: float,
    corrected: np.ndarray,
    how: Decision,
    size: int,
) -> Result:
    """Collect the readings of one comparison; `corrected` (3,) are the corrected p values."""
    value, low, high = (float(x[k]) for x in (estimate.value, estimate.low, estimate.high))
    wanted = comparison.published or how.declared
    return Result(
        comparison=comparison,
        value=value,
        low=low,
        high=high,
        p=p,
        p_holm=float(corrected[0]),
        p_equivalent=float(corrected[1]),
        p_smaller=float(corrected[2]),
        posterior=readings.posterior(estimate, how.margin, k),
        units_needed=readings.units_needed(estimate, wanted, how.alpha / size, how.power, k),
        verdict=verdict(value, (low, high), corrected, how.alpha),
    )


def verdict(
    value: float, ends: tuple[float, float], corrected: np.ndarray, alpha: float
) -> Verdict:
    """Return the verdict on a difference.

    Equivalence comes first: a significant difference within the margin is practically none.

    Parameters
    ----------
    value, ends
        Difference and the ends of its interval.
    corrected
        Corrected p of no difference, of one beyond the margin, and of the published one, (3,).
    alpha
        Level of significance.

    Returns
    -------
    str
        One of `Verdict`.

    Examples
    --------
    >>> verdict(0.03, (0.01, 0.05), np.array([0.01, 0.9, np.nan]), 0.05)
    'better'
    """
    if corrected[1] <= alpha:
        return "equivalent"
    if significant(*ends, corrected[0], alpha):
        return "better" if value > 0 else "worse"
    return "smaller than published" if corrected[2] <= alpha else "undecided"
