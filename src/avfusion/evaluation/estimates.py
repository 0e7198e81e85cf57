"""Estimates, intervals and paired comparisons of fusions from the sums of scored runs."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.evaluation import inference, significance
from avfusion.evaluation.scored import Scored
from avfusion.metrics.sums import point, target_scores


def estimates(scored: Scored, study: Study) -> pd.DataFrame:
    """Estimate the score of each fusion and target.

    Parameters
    ----------
    scored
        Sums of the runs.
    study
        Its fusions and `statistics` are read.

    Returns
    -------
    DataFrame
        A row per fusion and target, best mean first: mean and sd over seeds, interval over units.
    """
    count = len(scored.videos)
    weight = scored.draw(study.statistics) if count else None
    rows, width = [], len(scored.targets)
    for fusion in study.fusions:
        seeds = sorted(scored.sums.get(fusion, {})) if count else []
        values = np.full((4, width), np.nan)  # mean, sd, low, high
        frames = np.zeros(width - 1, int)
        if seeds and weight is not None:
            sums = scored.stack(fusion, seeds)
            values = _estimate(scored, sums, weight, study.statistics.alpha)
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
    rows = table[table["target"] == "mean"]
    return list(rows.sort_values("mean", ascending=False, kind="stable")["fusion"])


def comparisons(scored: Scored, study: Study, order: Sequence[str]) -> pd.DataFrame:
    """Compare all pairs of fusions.

    Parameters
    ----------
    scored
        Sums of the runs.
    study
        Its `statistics` are read.
    order
        Fusions; the first of each pair comes first here.

    Returns
    -------
    DataFrame
        A row per pair and target with difference, interval, p over units (`p`), p over seeds
        (`p_seeds`) and `p_holm`. Holm's family is all pairs of one corpus and target.
    """
    statistics = study.statistics
    rows = []
    for pair in itertools.combinations(order, 2):
        nothing = dict.fromkeys(("difference", "low", "high", "p", "p_seeds"), np.nan)
        results = [nothing] * len(scored.targets)
        seeds = sorted(set.intersection(*(set(scored.sums.get(f, {})) for f in pair)))
        if seeds and scored.units > 1:
            compared = _compare(scored, pair, seeds, statistics)
            undefined = _undefined(scored)
            results = [
                nothing if gone else row for row, gone in zip(compared, undefined, strict=True)
            ]
        for target, values in zip(scored.targets, results, strict=True):
            names = {"target": target, "fusion": pair[0], "other": pair[1]}
            rows.append({**_key(scored), **names, **values, "seeds": len(seeds)})
    table = pd.DataFrame(rows)
    if not len(table):
        return table
    table["videos"] = len(scored.videos)
    table["p_holm"] = table.groupby("target")["p"].transform(
        lambda p: significance.holm(p.to_numpy())
    )
    alpha = statistics.alpha
    columns = ["fusion", "other", "difference", "low", "high", "p_holm"]
    each = list(table[columns].itertuples(index=False, name=None))
    table["significant"] = [
        significance.significant(low, high, p, alpha) for _, _, _, low, high, p in each
    ]
    table["verdict"] = [
        significance.verdict((fusion, other), difference, (low, high), p, alpha)
        for fusion, other, difference, low, high, p in each
    ]
    return table


def _undefined(scored: Scored) -> np.ndarray:
    """Return which targets, and whether their mean, have no CCC (K + 1,)."""
    flat = [name in scored.constant for name in scored.names]
    return np.array([*flat, any(flat)])


def _estimate(scored: Scored, sums: np.ndarray, weight: np.ndarray, alpha: float) -> np.ndarray:
    """Return mean, sd, low and high (4, K + 1) of sums (S, K, V, 6)."""
    pooling = scored.rule.pooling
    each = point(sums, pooling)  # (S, K + 1)
    samples = target_scores(sums, weight, pooling).mean(axis=0)  # (K + 1, N)
    spread = each.std(axis=0, ddof=1) if len(sums) > 1 else np.full(each.shape[1], np.nan)
    ends = inference.interval_of_targets(samples, sums, pooling, alpha, scored.unit)
    return np.stack([each.mean(axis=0), spread, *ends])


def _compare(
    scored: Scored, pair: tuple[str, ...], seeds: list[int], statistics: StatisticsSettings
) -> list[dict[str, float]]:
    """Return difference, interval and p of one pair on the seeds of both, a mapping per target.

    p is of the same trainings on other videos, p_seeds of other trainings on the same videos.
    """
    pooling, unit = scored.rule.pooling, scored.unit
    a, b = (scored.stack(fusion, seeds) for fusion in pair)
    weight = scored.draw(statistics)
    each = point(a, pooling), point(b, pooling)  # (S, K + 1)
    gap = (each[0] - each[1]).mean(axis=0)  # (K + 1,)
    samples = (target_scores(a, weight, pooling) - target_scores(b, weight, pooling)).mean(axis=0)
    low, high = inference.interval_of_targets(samples, a, pooling, statistics.alpha, unit)
    p = inference.swap_test(a, b, pooling, statistics.draws, statistics.seed, unit)
    return [
        {"difference": d, "low": lo, "high": hi, "p": q, "p_seeds": r}
        for d, lo, hi, q, r in zip(gap, low, high, p, inference.seeds_test(*each), strict=True)
    ]


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
