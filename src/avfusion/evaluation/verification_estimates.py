"""Errors of verification with intervals over people, and paired differences of two fusions.

People are drawn with replacement, on both sides of a trial (`metrics.verification.weights_of`), and
the errors of all seeds are averaged in each draw. Deviations are multiplied by sqrt(U / (U - 1))
for U people (Hesterberg, The American Statistician 2015). A normal deviation with the variance of
the mean over seeds is added, so that an interval speaks of other people and other seeds.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation import threads
from avfusion.evaluation.significance import holm, significant
from avfusion.metrics.verification import (
    PRIORS,
    drawn_people,
    eer_of,
    error_rates,
    min_dcf_of,
    rates_of_order,
    weights_of,
)

TABLE = "trials.parquet"
AVERAGE = "average"
"""Row of the mean cosine of the single modalities of the same seed."""

NORMS = ("cosine", "as_norm")
COSTS = tuple(f"min_dcf_{prior:g}" for prior in PRIORS)
MEASURES = ("eer", *COSTS)

PART = 400_000
"""Weights of trials that are in memory at once; more do not fit into the caches of a core."""

MOST = 40_000_000
"""Most weights of trials that are drawn for one run; a longer list has fewer draws."""

LEAST = 1_000
"""Draws of a list of any length, if `statistics.draws` is not less."""

PLACE = ["partition", "list", "condition", "norm"]
Key = tuple[str, ...]
"""Partition, list, condition, norm and fusion."""


@dataclass(frozen=True)
class Errors:
    """Errors of one fusion on one list, condition and norm.

    Attributes
    ----------
    values
        Of each seed (S, M), for the M `MEASURES`.
    draws
        Of each seed and draw of people (S, N, M).
    seeds
        The seeds (S,).
    people
        Names of the people.
    trials
        Number of trials of a seed.
    """

    values: np.ndarray
    draws: np.ndarray
    seeds: tuple[int, ...]
    people: tuple[str, ...]
    trials: int

    def of(self, seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of some seeds (s, M), and the means over them of each draw (N, M)."""
        at = [self.seeds.index(seed) for seed in seeds]
        return self.values[at], self.draws[at].mean(axis=0)


def draws_of(trials: int, statistics: StatisticsSettings) -> int:
    """Return the number of draws of people for a list of this many trials.

    >>> draws_of(100, StatisticsSettings()), draws_of(40_000, StatisticsSettings())
    (10000, 1000)
    """
    return min(statistics.draws, max(LEAST, MOST // max(trials, 1)))


def errors(scored: pd.DataFrame, statistics: StatisticsSettings) -> dict[Key, Errors]:
    """Return the errors of every partition, list, condition, norm and fusion.

    Parameters
    ----------
    scored
        trials.parquet of one corpus.
    statistics
        `draws` and `seed` are read.

    Returns
    -------
    dict
        `Key` -> its errors; all that are of the same people and trials have the same draws.
    """
    errors_of: dict[Key, Errors] = {}
    groups = scored.groupby(["partition", "list", "condition", "fusion"]) if len(scored) else ()
    for (partition, name, condition, fusion), rows in groups:
        people, codes = np.unique(
            rows[["first_person", "second_person"]].to_numpy(str), return_inverse=True
        )
        first, second = codes.reshape(-1, 2).T
        seeds = sorted(set(rows["seed"]))
        parts = [np.flatnonzero(rows["seed"] == seed) for seed in seeds]
        draws = draws_of(len(parts[0]), statistics)
        counts = drawn_people(len(people), draws, statistics.seed)
        same = rows["same"].to_numpy(bool)
        for norm in NORMS:
            scores = rows[norm].to_numpy(float)
            if not np.isfinite(scores).all():
                continue
            of_seed = [(scores[at], same[at], first[at], second[at]) for at in parts]
            errors_of[str(partition), str(name), str(condition), norm, str(fusion)] = Errors(
                values=np.stack([_measured(*error_rates(*one[:2])) for one in of_seed]),
                draws=np.stack([*threads.each(partial(_drawn, counts=counts), of_seed)]),
                seeds=tuple(int(seed) for seed in seeds),
                people=tuple(people.tolist()),
                trials=len(parts[0]),
            )
    return errors_of


def _measured(misses: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Return the `MEASURES` (..., M) of error rates (..., K+1)."""
    costs = [min_dcf_of(misses, alarms, prior) for prior in PRIORS]
    return np.stack([eer_of(misses, alarms), *costs], axis=-1)


def _drawn(of: tuple[np.ndarray, ...], counts: np.ndarray) -> np.ndarray:
    """Return the measures of each draw of people (N, M), a part of the draws at a time.

    of: scores of the trials, whether they are of one person, and the person of each side.
    """
    order = np.argsort(of[0], kind="stable")
    scores, same, first, second = (x[order] for x in of)
    parts = np.array_split(counts, max(1, counts.shape[0] * len(scores) // PART))
    weights = (weights_of(part, first, second) for part in parts)
    return np.concatenate([_measured(*rates_of_order(scores, same, one)) for one in weights])


def estimate(
    values: np.ndarray, draws: np.ndarray, people: int, statistics: StatisticsSettings
) -> dict[str, float]:
    """Return mean, interval, deviation over seeds and two-sided p of a value above or below 0.

    Parameters
    ----------
    values
        Of each seed (S,).
    draws
        Of each draw of people (N,); NaN draws have no trial of one kind and do not count.
    people
        Number of people.
    statistics
        `alpha` and `seed` are read.
    """
    mean = float(np.mean(values))
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
    rng = np.random.default_rng([statistics.seed, 1])
    noise = rng.standard_normal(len(draws)) * (np.nan_to_num(spread) / len(values) ** 0.5)
    wide = np.sqrt(people / max(people - 1, 1))
    samples = mean + (draws - np.nanmean(draws)) * wide + noise
    samples = samples[np.isfinite(samples)]
    low, high = np.quantile(samples, [statistics.alpha / 2, 1 - statistics.alpha / 2])
    below = (np.sum(samples <= 0) + 1) / (len(samples) + 1)
    above = (np.sum(samples >= 0) + 1) / (len(samples) + 1)
    p = min(1.0, 2 * min(below, above))
    return {"mean": mean, "low": float(low), "high": float(high), "sd": spread, "p": float(p)}


def estimates(
    corpus: str, errors_of: dict[Key, Errors], statistics: StatisticsSettings
) -> pd.DataFrame:
    """Return errors with intervals: a row per partition, list, condition, norm, fusion, measure."""
    rows: list[dict[str, Any]] = []
    for (*place, fusion), one in errors_of.items():
        everything, means = one.of(list(one.seeds))
        for at, measure in enumerate(MEASURES):
            values = estimate(everything[:, at], means[:, at], len(one.people), statistics)
            del values["p"]
            values |= {end: min(max(values[end], 0.0), 1.0) for end in ("low", "high")}
            which = {"corpus": corpus} | dict(zip(PLACE, place, strict=True))
            counts = {"seeds": len(one.seeds), "people": len(one.people), "trials": one.trials}
            counts["draws"] = one.draws.shape[1]
            rows.append(which | {"fusion": fusion, "measure": measure} | values | counts)
    return pd.DataFrame(rows)


def differences(
    corpus: str, singles: list[str], errors_of: dict[Key, Errors], statistics: StatisticsSettings
) -> pd.DataFrame:
    """Return each fusion's errors minus those of each single modality, paired by draw and seed.

    Only seeds that both have count. Two fusions are not compared without a common seed, or if their
    trials are of other people or of another number; `note` has the reason, and the row no number.
    p values are corrected by Holm within a partition, list, condition, norm and measure. A
    difference counts as significant if the corrected p is at most `alpha` and its interval
    excludes 0.
    """
    rows: list[dict[str, Any]] = []
    for (*place, fusion), one in errors_of.items():
        for single in singles:
            other = errors_of.get((*place, single))
            if fusion in singles or other is None:
                continue
            which = {"corpus": corpus} | dict(zip(PLACE, place, strict=True))
            which |= {"fusion": fusion, "other": single}
            common = [seed for seed in one.seeds if seed in other.seeds]
            note = unpaired(one, other)
            for at, measure in enumerate(MEASURES):
                row = which | {"measure": measure, "difference": np.nan, "low": np.nan}
                row |= {"high": np.nan, "sd": np.nan, "p": np.nan}
                if not note:
                    (ours, our_draws), (theirs, their_draws) = one.of(common), other.of(common)
                    gaps, draws = ours - theirs, our_draws - their_draws
                    people = len(one.people)
                    values = estimate(gaps[:, at], draws[:, at], people, statistics)
                    row |= {"difference": values.pop("mean")} | values
                rows.append(row | {"seeds": 0 if note else len(common), "note": note})
    return _corrected(pd.DataFrame(rows), statistics.alpha)


def unpaired(one: Errors, other: Errors) -> str:
    """Return why two fusions cannot be compared by draw and seed; "" if they can."""
    if not set(one.seeds) & set(other.seeds):
        return "not compared: no common seed"
    if one.people != other.people or one.trials != other.trials:
        return f"not compared: other trials, {one.trials:,} and {other.trials:,}"
    return ""


def _corrected(table: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Add the columns `p_holm` and `significant` to the differences."""
    if not len(table):
        return table
    family = table.groupby([*PLACE, "measure"], sort=False)["p"]
    table["p_holm"] = family.transform(lambda p: holm(p.to_numpy()))
    ends = zip(table["low"], table["high"], table["p_holm"], strict=True)
    table["significant"] = [significant(*end, alpha) for end in ends]
    return table


def ranked(table: pd.DataFrame) -> list[str]:
    """Return the fusions of one list, condition and norm by their EER, the lowest first."""
    rows = table[table["measure"] == "eer"].sort_values("mean", kind="stable")
    return list(rows["fusion"])
