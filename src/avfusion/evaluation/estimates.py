"""Estimates, intervals and paired comparisons of fusions from the sums of scored runs.

Intervals and p are over people and trainings (`avfusion.evaluation.crossed`). Declared comparisons
form a family of their own (`avfusion.evaluation.families`); all pairs are exploratory.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.baseline import REFERENCES
from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation import crossed, families, significance, wording
from avfusion.evaluation.decisions import Decision, Result, decide
from avfusion.evaluation.families import Comparison, Family
from avfusion.evaluation.samples import Samples
from avfusion.evaluation.scored import Scored
from avfusion.metrics.sums import MEAN, point

NUMBERS = ("difference", "low", "high", "p", "p_holm", "p_equivalent")
COLUMNS = (
    *("family", "exploratory", "target", "fusion", "other", *NUMBERS),
    *("p_worse", "p_equal", "p_better", "units_needed", "seeds", "decision", "significant"),
    "verdict",
)
"""Columns of comparisons, after those of the place."""


def decision(scored: Scored, statistics: StatisticsSettings) -> Decision:
    """Return how comparisons under a protocol are decided."""
    return Decision(
        margin=statistics.margins[scored.rule.pooling],
        declared=statistics.declared,
        alpha=statistics.alpha,
        power=statistics.power,
        seed=statistics.seed,
    )


def estimates(scored: Scored, study: Study, samples: Samples | None = None) -> pd.DataFrame:
    """Estimate the score of each fusion and target.

    Parameters
    ----------
    scored
        Sums of the runs.
    study
        Its fusions and `statistics` are read.
    samples
        Samples of the same scores, if they are computed already.

    Returns
    -------
    DataFrame
        A row per fusion and target, best mean first: mean and sd over trainings, interval over
        people and trainings.
    """
    return of_fusions(samples or Samples(scored, study.statistics), scored.fusions(study))


def of_fusions(samples: Samples, fusions: Sequence[str]) -> pd.DataFrame:
    """Estimate the score of some fusions as `estimates` does; one without runs has NaN."""
    scored = samples.scored
    count, width, rows = len(scored.videos), len(scored.targets), []
    for fusion in fusions:
        seeds = sorted(scored.sums.get(fusion, {})) if count else []
        values = np.full((4, width), np.nan)  # mean, sd, low, high
        frames = np.zeros(width - 1, int)
        if seeds:
            sums = scored.stack(fusion, seeds)
            values = _estimate(samples, fusion, sums)
            values[:, _undefined(scored)] = np.nan
            frames = sums[0, :, :, 0].sum(axis=1).astype(int)
        for target, column, n in zip(
            scored.targets, values.T, [*frames, frames.min()], strict=True
        ):
            rows.append(
                {
                    **_key(scored),
                    "fusion": fusion,
                    "target": target,
                    **dict(zip(("mean", "sd", "low", "high"), column, strict=True)),
                    "seeds": len(seeds),
                    "videos": count,
                    "units": scored.units,
                    "unit": scored.unit_word,
                    "missing": len(scored.missing),
                    "frames": int(n),
                    "note": _notes(scored, fusion),
                }
            )
    table = pd.DataFrame(rows)
    top = {name: -i for i, name in enumerate(ranking(table))}
    return table.sort_values("fusion", key=lambda c: -c.map(top), kind="stable", ignore_index=True)


def ranking(table: pd.DataFrame) -> list[str]:
    """Return the fusions of `estimates` by mean score, best first, those without a score last."""
    rows = table[table["target"] == MEAN]
    return list(rows.sort_values("mean", ascending=False, kind="stable")["fusion"])


def comparisons(
    scored: Scored, study: Study, order: Sequence[str], samples: Samples | None = None
) -> pd.DataFrame:
    """Compare all pairs of fusions.

    Parameters
    ----------
    scored
        Sums of the runs.
    study
        Its `statistics` are read.
    order
        Fusions and references; the first of each pair comes first here.
    samples
        Samples of the same scores, if they are computed already.

    Returns
    -------
    DataFrame
        As `decided`: all pairs of fusions, then each fusion with each reference. Both families are
        exploratory.
    """
    samples = samples or Samples(scored, study.statistics)
    fusions = [name for name in order if name not in REFERENCES]
    others = [name for name in order if name in REFERENCES]
    explored = {
        "pairs": itertools.combinations(fusions, 2),
        "references": itertools.product(fusions, others),
    }
    every = [
        Family(name, tuple(Comparison(*pair) for pair in pairs), True)
        for name, pairs in explored.items()
    ]
    tables = [decided(samples, family) for family in every if family.comparisons]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def declared(
    scored: Scored,
    study: Study,
    validation: Mapping[str, float],
    samples: Samples | None = None,
) -> pd.DataFrame:
    """Compare each fusion with the better single modality and with concatenation.

    Parameters
    ----------
    scored
        Sums of the runs.
    study
        Its fusions and `statistics` are read.
    validation
        Mean score of each fusion on validation, which chooses the two.
    samples
        Samples of the same scores, if they are computed already.

    Returns
    -------
    DataFrame
        As `decided`.
    """
    samples = samples or Samples(scored, study.statistics)
    return decided(samples, families.of_study(study, validation))


def decided(samples: Samples, family: Family) -> pd.DataFrame:
    """Decide the comparisons of a family, for the mean and for each target.

    Parameters
    ----------
    samples
        Samples of the scores, with the settings of the statistics.
    family
        Comparisons in one target; each is made in all.

    Returns
    -------
    DataFrame
        A row per comparison and target with difference, interval, p, posterior probabilities,
        units needed and verdict. Holm's correction covers the comparisons of one target.
    """
    scored = samples.scored
    how, undefined = decision(scored, samples.statistics), _undefined(scored)
    targets = [scored.targets[-1], *scored.targets[:-1]]  # the mean first
    gone = {name for name, flat in zip(scored.targets, undefined, strict=True) if flat}
    every = [replace(c, target=target) for target in targets for c in family.comparisons]
    tested = replace(family, comparisons=tuple(c for c in every if c.target not in gone))
    results = decide(tested, samples.pair, scored.targets, how, apart=True)
    result_of = dict(zip(tested.comparisons, results, strict=True))
    rows = []
    for one in every:
        seeds = sum(map(len, samples.grid([one.first, one.second])))
        rows.append({**_key(scored), **_row(one, result_of.get(one), how, scored), "seeds": seeds})
    table = pd.DataFrame(rows, columns=[*_key(scored), *COLUMNS])
    table["family"], table["exploratory"] = family.name, family.exploratory
    table["videos"] = len(scored.videos)
    table["units_needed"] = table["units_needed"].astype("Int64")
    place = {(c.first, c.second): i for i, c in enumerate(family.comparisons)}
    order = [place[pair] for pair in zip(table["fusion"], table["other"], strict=True)]
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _row(
    comparison: Comparison, result: Result | None, how: Decision, scored: Scored
) -> dict[str, Any]:
    """Return the columns of one comparison; NaN where it was not compared."""
    names = {
        "target": comparison.target,
        "fusion": comparison.first,
        "other": comparison.second,
    }
    if result is None or not np.isfinite(result.value):
        text = f"{comparison.first} and {comparison.second} cannot be compared"
        return {**names, "decision": "not compared", "significant": False,
                "verdict": f"{text}: {_why_not(scored, comparison.target)}."}  # fmt: skip
    return {
        **names,
        "difference": result.value,
        "low": result.low,
        "high": result.high,
        "p": result.p,
        "p_holm": result.p_holm,
        "p_equivalent": result.p_equivalent,
        "p_worse": result.posterior.worse,
        "p_equal": result.posterior.equal,
        "p_better": result.posterior.better,
        "units_needed": result.units_needed,
        "decision": result.verdict,
        "significant": significance.significant(result.low, result.high, result.p_holm, how.alpha),
        "verdict": wording.sentence(result, how, scored.unit_word),
    }


def _why_not(scored: Scored, target: str) -> str:
    """Return why two fusions have no difference in a target, or in the mean of all."""
    flat = set(scored.constant) if target == MEAN else {target} & set(scored.constant)
    if flat:
        return f"the gold of {' and '.join(sorted(flat))} is constant"
    if scored.units < 2:
        return (
            f"it takes two {scored.unit_word}s with ratings, and there is {scored.units or 'none'}"
        )
    return "no training of both was scored"


def _undefined(scored: Scored) -> np.ndarray:
    """Return which targets, and whether their mean, have no CCC (K + 1,)."""
    flat = [name in scored.constant for name in scored.names]
    return np.array([*flat, any(flat)])


def _estimate(samples: Samples, fusion: str, sums: np.ndarray) -> np.ndarray:
    """Return mean, sd, low and high (4, K + 1) of a fusion with sums (S, K, V, 6)."""
    statistics = samples.statistics
    each = point(sums, samples.scored.rule.pooling)  # (S, K + 1)
    spread = each.std(axis=0, ddof=1) if len(sums) > 1 else np.full(each.shape[1], np.nan)
    grid = samples.grid([fusion])
    ends = np.full((2, each.shape[1]), np.nan)
    if samples.scored.units > 1:
        estimate = crossed.score(samples.of(fusion, grid), statistics.alpha, statistics.seed)
        ends = np.stack([estimate.low, estimate.high]) + each.mean(axis=0) - estimate.value
        # With few trainings, the tails of Student's t reach beyond the range of the score.
        ends = np.clip(ends, 0.0 if samples.scored.rule.pooling == "recall" else -1.0, 1.0)
    return np.stack([each.mean(axis=0), spread, *ends])


def _key(scored: Scored) -> dict[str, Any]:
    rule = scored.rule
    return {
        "corpus": scored.corpus,
        "protocol": rule.name,
        "leaks": rule.leaks,
        "partition": scored.partition,
    }


def _notes(scored: Scored, fusion: str) -> str:
    notes = [f"seed {s}: {note}" for (f, s), note in scored.notes.items() if f == fusion]
    return " ".join(notes)
