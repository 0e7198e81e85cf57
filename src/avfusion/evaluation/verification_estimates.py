"""Errors of verification with intervals over people, and paired differences of two fusions.

People are drawn with replacement, on both sides of a trial (`metrics.verification.weights_of`), and
the errors of all seeds are averaged in each draw. Deviations are multiplied by sqrt(U / (U - 1))
for U people (Hesterberg, The American Statistician 2015). A normal deviation with the variance of
the mean over seeds is added, so that an interval speaks of other people and other seeds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation.score_verification import COSTS, NORMS, TABLE
from avfusion.evaluation.significance import holm, significant
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.verification import (
    PRIORS,
    drawn_people,
    eer_of,
    error_rates,
    min_dcf_of,
    weights_of,
)

MEASURES = ("eer", *COSTS)

PART = 4_000_000
"""Weights of trials that are in memory at once."""

KEY = ["list", "condition", "norm"]


@dataclass(frozen=True)
class Errors:
    """Errors of one fusion on one list, condition and norm.

    Attributes
    ----------
    values
        Of each seed (S, M), for the M `MEASURES`.
    draws
        Means over seeds for each draw of people (N, M).
    people, trials
        Numbers of people and of trials.
    """

    values: np.ndarray
    draws: np.ndarray
    people: int
    trials: int


def errors(scored: pd.DataFrame, statistics: StatisticsSettings) -> dict[tuple[str, ...], Errors]:
    """Return the errors of every list, condition, norm and fusion.

    Parameters
    ----------
    scored
        trials.parquet of one corpus.
    statistics
        `draws` and `seed` are read.

    Returns
    -------
    dict
        (list, condition, norm, fusion) -> its errors; all of one list have the same draws.
    """
    found: dict[tuple[str, ...], Errors] = {}
    for (name, condition, fusion), rows in scored.groupby(["list", "condition", "fusion"]):
        people, codes = np.unique(
            rows[["first_person", "second_person"]].to_numpy(str), return_inverse=True
        )
        first, second = codes.reshape(-1, 2).T
        seeds = [np.flatnonzero(rows["seed"] == seed) for seed in sorted(set(rows["seed"]))]
        counts = drawn_people(len(people), statistics.draws, statistics.seed)
        same = rows["same"].to_numpy(bool)
        for norm in NORMS:
            scores = rows[norm].to_numpy(float)
            if not np.isfinite(scores).all():
                continue
            of_seed = [(scores[at], same[at], first[at], second[at]) for at in seeds]
            values = np.stack([_measured(*error_rates(*one[:2])) for one in of_seed])
            draws = np.mean([_drawn(*one, counts) for one in of_seed], axis=0)
            key = (str(name), str(condition), norm, str(fusion))
            found[key] = Errors(values, draws, len(people), len(seeds[0]))
    return found


def _measured(misses: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Return the `MEASURES` (..., M) of error rates (..., K+1)."""
    costs = [min_dcf_of(misses, alarms, prior) for prior in PRIORS]
    return np.stack([eer_of(misses, alarms), *costs], axis=-1)


def _drawn(
    scores: np.ndarray, same: np.ndarray, first: np.ndarray, second: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Return the measures of each draw of people (N, M), a part of the draws at a time."""
    parts = np.array_split(counts, max(1, counts.shape[0] * len(scores) // PART))
    weights = (weights_of(part, first, second) for part in parts)
    return np.concatenate([_measured(*error_rates(scores, same, one)) for one in weights])


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


def estimates(corpus: str, statistics: StatisticsSettings, layout: Layout) -> pd.DataFrame:
    """Return errors with intervals: a row per list, condition, norm, fusion and measure."""
    found = errors(read_table(layout.scores(corpus) / TABLE), statistics)
    rows: list[dict[str, Any]] = []
    for (name, condition, norm, fusion), one in found.items():
        for at, measure in enumerate(MEASURES):
            values = estimate(one.values[:, at], one.draws[:, at], one.people, statistics)
            del values["p"]
            values |= {end: min(max(values[end], 0.0), 1.0) for end in ("low", "high")}
            place = {"corpus": corpus, "list": name, "condition": condition, "norm": norm}
            counts = {"seeds": len(one.values), "people": one.people, "trials": one.trials}
            rows.append(place | {"fusion": fusion, "measure": measure} | values | counts)
    return pd.DataFrame(rows)


def differences(
    corpus: str, singles: list[str], statistics: StatisticsSettings, layout: Layout
) -> pd.DataFrame:
    """Return each fusion's errors minus those of each single modality, paired by draw and seed.

    p values are corrected by Holm within a list, condition, norm and measure. A difference counts
    as significant if the corrected p is at most `alpha` and its interval excludes 0.
    """
    found = errors(read_table(layout.scores(corpus) / TABLE), statistics)
    rows: list[dict[str, Any]] = []
    for (name, condition, norm, fusion), one in found.items():
        for single in singles:
            other = found.get((name, condition, norm, single))
            if fusion in singles or other is None or other.values.shape != one.values.shape:
                continue
            for at, measure in enumerate(MEASURES):
                gaps = (one.values - other.values)[:, at]
                draws = (one.draws - other.draws)[:, at]
                values = estimate(gaps, draws, one.people, statistics)
                place = {"corpus": corpus, "list": name, "condition": condition, "norm": norm}
                who = {"fusion": fusion, "other": single, "measure": measure}
                rows.append(place | who | {"difference": values.pop("mean")} | values)
    table = pd.DataFrame(rows)
    if not len(table):
        return table
    family = table.groupby([*KEY, "measure"], sort=False)["p"]
    table["p_holm"] = family.transform(lambda p: holm(p.to_numpy()))
    ends = zip(table["low"], table["high"], table["p_holm"], strict=True)
    table["significant"] = [significant(*end, statistics.alpha) for end in ends]
    return table


def ranked(table: pd.DataFrame) -> list[str]:
    """Return the fusions of one list, condition and norm by their EER, the lowest first."""
    rows = table[table["measure"] == "eer"].sort_values("mean", kind="stable")
    return list(rows["fusion"])
