"""Curves of CCC over levels of corruption: estimates, and paired differences of loss and area.

Shapes: L levels of one corruption, clean input first; V videos, S seeds, N draws, K targets.
The area is the mean of a curve over the levels (trapezoids, over the greatest level). The loss is
the start of a curve minus its area.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.corruptions import CLEAN, MODALITIES, Case, cases, find
from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation import inference, significance, units
from avfusion.evaluation.scored import read_rating
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN, SUMS, point, target_scores
from avfusion.protocols import protocol
from avfusion.protocols.protocol import Protocol
from avfusion.rating import DIMENSIONS


@dataclass(frozen=True)
class Curves:
    """Sums of one corpus under every case, on the videos that all runs have."""

    corpus: str
    rule: Protocol
    partition: str
    videos: list[str]
    levels: dict[str, np.ndarray]  # corruption -> (L,), clean input first
    absent: dict[str, dict[Case, float]]  # modality -> case -> share of clips without it
    sums: dict[str, dict[int, dict[Case, np.ndarray]]]  # fusion -> seed -> case -> (K, V, 6)
    names: tuple[str, ...] = DIMENSIONS  # K targets
    unit: np.ndarray | None = None  # (V,), see `avfusion.evaluation.units`

    @property
    def units(self) -> int:
        """Number of units behind intervals and tests: videos, or subjects."""
        return inference.units(len(self.videos), self.unit)

    def stack(self, fusion: str, seeds: list[int], corruption: str) -> np.ndarray:
        """Return the sums (L, S, K, V, 6) of a fusion's runs along one corruption."""
        runs = [self.sums[fusion][seed] for seed in seeds]
        return np.stack([[run[case] for run in runs] for case in self.cases(corruption)])

    def places(self, corruption: str) -> np.ndarray:
        """Return the places of the levels on the curve (L,), rising from 0."""
        kind = find(corruption)[1]
        return np.array([kind.place(float(level)) for level in self.levels[corruption]])

    def cases(self, corruption: str) -> list[Case]:
        """Return the L cases of a corruption, clean input first."""
        return [CLEAN, *((corruption, float(level)) for level in self.levels[corruption][1:])]


def read_curves(corpus: str, study: Study, layout: Layout) -> Curves | None:
    """Read what `avf robust` wrote.

    Parameters
    ----------
    corpus
        Name of the corpus.
    study
        Its fusions, seeds, corruptions and statistics are read.
    layout
        Paths of the results.

    Returns
    -------
    Curves or None
        None if `avf robust` did not run, or on none of the study's runs.

    Raises
    ------
    AvfError
        If it ran with other settings.
    """
    path = layout.robustness(corpus) / "sums.parquet"
    if not path.is_file():
        return None
    table = pd.read_parquet(path)
    wanted, present = cases(study), set(zip(table["corruption"], table["level"], strict=True))
    if set(table["protocol"]) != {study.headline} or not present.issuperset(wanted):
        raise AvfError(f"{path} was made with other settings. Run: avf robust {corpus}")
    runs = [(fusion, seed) for fusion in study.fusions for seed in study.seeds]
    groups: dict[Any, pd.DataFrame] = dict(list(table.groupby(["fusion", "seed"])))
    by_run = {run: groups[run] for run in runs if run in groups}
    if not by_run:
        return None
    names = read_rating(corpus, layout).names
    videos = sorted(set.intersection(*(set(rows["video"]) for rows in by_run.values())))
    sums: dict[str, dict[int, dict[Case, np.ndarray]]] = {}
    for (fusion, seed), rows in by_run.items():
        at = rows.set_index(["corruption", "level", "target", "video"])[list(SUMS)].sort_index()
        sums.setdefault(fusion, {})[seed] = {
            case: np.stack([at.loc[(*case, t)].loc[videos].to_numpy(float) for t in names])
            for case in wanted
        }
    robustness = study.robustness.items()
    levels = {name: np.array([find(name)[1].clean, *given]) for name, given in robustness}
    share = table.groupby(["corruption", "level"])[["no_audio", "no_video"]].mean()
    absent: dict[str, dict[Any, float]] = {
        modality: share[f"no_{modality}"].to_dict() for modality in MODALITIES
    }
    rule, partition = protocol.load(study.headline), table["partition"].iloc[0]
    subjects = units.subjects(corpus, videos, layout, study.statistics)
    unit = units.numbers(subjects, study.statistics)
    return Curves(corpus, rule, partition, videos, levels, absent, sums, names, unit)


def shares(levels: np.ndarray) -> np.ndarray:
    """Return the weights (L,) of a curve's values in its mean over the levels, by trapezoids.

    >>> shares(np.array([0.0, 0.5, 1.0])).tolist()
    [0.25, 0.5, 0.25]
    """
    steps = np.diff(levels)
    return (np.append(steps, 0) + np.append(0, steps)) / 2 / levels[-1]


def loss(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return how far curves (L, ...) lie below their start, on average over the levels (...).

    >>> float(loss(np.array([0.8, 0.4, 0.0]), np.array([0.0, 0.5, 1.0])))
    0.4
    """
    return np.tensordot(shares(levels), values[0] - values, 1)


def area(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the mean of curves (L, ...) over the levels (...).

    >>> float(area(np.array([0.8, 0.4, 0.0]), np.array([0.0, 0.5, 1.0])))
    0.4
    """
    return np.tensordot(shares(levels), values, 1)


def estimates(curves: Curves, study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimate the score at each level, and the loss over the levels.

    Parameters
    ----------
    curves
        Sums of the runs.
    study
        Its `statistics` are read.

    Returns
    -------
    points : DataFrame
        A row per fusion, corruption, level and target.
    losses : DataFrame
        A row per fusion, corruption and target: loss, and mean over the levels.
    """
    statistics, count, pooling = study.statistics, len(curves.videos), curves.rule.pooling
    weight = inference.draw(count, statistics.draws, statistics.seed, curves.unit)
    points: list[dict[str, Any]] = []
    losses: list[dict[str, Any]] = []
    for fusion, name in itertools.product(curves.sums, curves.levels):
        seeds, places = sorted(curves.sums[fusion]), curves.places(name)
        sums = curves.stack(fusion, seeds, name)
        each = np.stack([point(one, pooling) for one in sums])  # (L, S, K + 1)
        drawn = np.stack([target_scores(one, weight, pooling).mean(axis=0) for one in sums])
        spread = each.std(axis=1, ddof=1) if len(seeds) > 1 else np.full(each.shape[::2], np.nan)
        ends = inference.interval(drawn, curves.units, statistics.alpha)  # (2, L, K + 1)
        lost = loss(each.mean(axis=1), places)  # (K + 1,)
        low, high = inference.interval(loss(drawn, places), curves.units, statistics.alpha)
        key = {"corpus": curves.corpus, "fusion": fusion, "corruption": name}
        size = {"seeds": len(seeds), "videos": count, "units": curves.units}
        for t, target in enumerate((*curves.names, MEAN)):
            start = each[0].mean(axis=0)[t]
            losses.append({**key, "target": target, "whole": start, "mean": start - lost[t],
                           "loss": lost[t], "low": low[t], "high": high[t], **size})  # fmt: skip
            for i, case in enumerate(curves.cases(name)):
                points.append({**key, "level": curves.levels[name][i], "place": places[i],
                               "target": target,
                               "mean": each[i].mean(axis=0)[t], "sd": spread[i, t],
                               "low": ends[0, i, t], "high": ends[1, i, t], **size,
                               "absent": curves.absent[find(name)[0]][case]})  # fmt: skip
    return pd.DataFrame(points), pd.DataFrame(losses)


def comparisons(curves: Curves, study: Study) -> pd.DataFrame:
    """Compare the losses, and the areas, of all pairs of fusions.

    Parameters
    ----------
    curves
        Sums of the runs.
    study
        Its `statistics` are read.

    Returns
    -------
    DataFrame
        A row per pair, corruption and target: loss of `other` minus loss of `fusion` with interval
        and p, and area of `fusion` minus area of `other` with interval. Holm's family is all pairs
        of one corruption and target.
    """
    statistics, count, pooling = study.statistics, len(curves.videos), curves.rule.pooling
    weight = inference.draw(count, statistics.draws, statistics.seed, curves.unit)
    rows = []
    for name in curves.levels:
        levels = curves.places(name)
        for pair in itertools.combinations(curves.sums, 2) if curves.units > 1 else ():
            seeds = sorted(set.intersection(*(set(curves.sums[fusion]) for fusion in pair)))
            if not seeds:
                continue
            a, b = (curves.stack(fusion, seeds, name) for fusion in pair)
            gaps = _curve(a, pooling) - _curve(b, pooling)  # (L, K + 1, 1)
            drawn = _curve(a, pooling, weight) - _curve(b, pooling, weight)  # (L, K + 1, N)
            gap, above = -loss(gaps, levels), area(gaps, levels)
            low, high = inference.interval(-loss(drawn, levels), curves.units, statistics.alpha)
            ends = inference.interval(area(drawn, levels), curves.units, statistics.alpha)
            p = loss_test(a, b, levels, pooling, statistics, curves.unit)
            for t, target in enumerate((*curves.names, MEAN)):
                rows.append({"corpus": curves.corpus, "corruption": name, "target": target,
                             "fusion": pair[0], "other": pair[1], "difference": gap[t, 0],
                             "low": low[t], "high": high[t], "p": p[t], "area": above[t, 0],
                             "area_low": ends[0][t], "area_high": ends[1][t]})  # fmt: skip
    columns = ["corpus", "corruption", "target", "fusion", "other", "difference", "low", "high"]
    table = pd.DataFrame(rows, columns=[*columns, "p", "area", "area_low", "area_high"])
    family = table.groupby(["corruption", "target"])["p"]
    table["p_holm"] = family.transform(lambda p: significance.holm(p.to_numpy())) if rows else []
    results = zip(table["low"], table["high"], table["p_holm"], strict=True)
    table["significant"] = [significance.significant(*row, statistics.alpha) for row in results]
    return table


def loss_test(
    a: np.ndarray,
    b: np.ndarray,
    levels: np.ndarray,
    pooling: str,
    statistics: StatisticsSettings,
    unit: np.ndarray | None = None,
) -> np.ndarray:
    """Test whether two fusions differ in their losses: `inference.exchange_test` of the losses.

    Parameters
    ----------
    a, b
        Sums of the fusions with the same seeds, (L, S, K, V, 6).
    levels
        Places of the levels, (L,), rising from 0.
    pooling
        Pooling of the protocol.
    statistics
        Draws and seed.
    unit
        Number of the unit of each video, (V,), or None.

    Returns
    -------
    ndarray of shape (K + 1,)
        Two-sided p of each target and of their mean.
    """

    def lost(sums: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return _lost(sums, levels, pooling, weight)

    observed = (_lost(a, levels, pooling) - _lost(b, levels, pooling))[:, 0]
    return inference.exchange_test(a, b, observed, lost, statistics.draws, statistics.seed, unit)


def _lost(
    sums: np.ndarray, levels: np.ndarray, pooling: str, weight: np.ndarray | None = None
) -> np.ndarray:
    """Return the loss of sums (L, S, K, V, 6), averaged over seeds, in each draw (K + 1, N)."""
    return loss(_curve(sums, pooling, weight), levels)


def _curve(sums: np.ndarray, pooling: str, weight: np.ndarray | None = None) -> np.ndarray:
    """Return the scores of sums (L, S, K, V, 6), averaged over seeds, by draw (L, K + 1, N)."""
    weight = np.ones((1, sums.shape[-2])) if weight is None else weight
    return np.stack([target_scores(one, weight, pooling).mean(axis=0) for one in sums])
