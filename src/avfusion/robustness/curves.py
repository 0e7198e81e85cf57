"""Curves of CCC over levels of corruption: estimates, what is lost, and paired differences of it.

Shapes: L levels of one corruption, whole input first; V videos, S seeds, N draws, K targets.
Loss is the mean of a curve over its levels (trapezoids, over the greatest level) below its start.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.corruptions import MODALITIES, WHOLE, Case, cases, find
from avfusion.errors import AvfError
from avfusion.evaluation import inference, protocol, units
from avfusion.evaluation.estimates import read_rating
from avfusion.evaluation.protocol import Protocol
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN, SUMS, point, target_scores
from avfusion.rating import DIMENSIONS


@dataclass(frozen=True)
class Curves:
    """One corpus' sums under every case, on the videos that every run has."""

    corpus: str
    rule: Protocol
    partition: str
    videos: list[str]
    levels: dict[str, np.ndarray]  # corruption -> (L,), that of whole input first
    absent: dict[str, dict[Case, float]]  # modality -> case -> share of clips without it
    sums: dict[str, dict[int, dict[Case, np.ndarray]]]  # fusion -> seed -> case -> (K, V, 6)
    names: tuple[str, ...] = DIMENSIONS  # K targets
    unit: np.ndarray | None = None  # (V,), see `avfusion.evaluation.units`

    @property
    def units(self) -> int:
        """How many units intervals and tests rest on: videos, or subjects."""
        return inference.units(len(self.videos), self.unit)

    def stack(self, fusion: str, seeds: list[int], corruption: str) -> np.ndarray:
        """Sums (L, S, K, V, 6) of a fusion's runs along one corruption."""
        own = [self.sums[fusion][seed] for seed in seeds]
        return np.stack([[run[case] for run in own] for case in self.cases(corruption)])

    def places(self, corruption: str) -> np.ndarray:
        """Where the levels of a corruption lie on its curve (L,); 0 first, rising."""
        kind = find(corruption)[1]
        return np.array([kind.place(float(level)) for level in self.levels[corruption]])

    def cases(self, corruption: str) -> list[Case]:
        """The L cases of a corruption, whole input first."""
        return [WHOLE, *((corruption, float(level)) for level in self.levels[corruption][1:])]


def read_curves(corpus: str, study: dict[str, Any], layout: Layout) -> Curves | None:
    """What `avf robust` left; None where it was not run, a refusal where it was run otherwise."""
    path = layout.robustness(corpus) / "sums.parquet"
    if not path.is_file():
        return None
    table = pd.read_parquet(path)
    wanted, found = cases(study), set(zip(table["corruption"], table["level"], strict=True))
    if set(table["protocol"]) != {study["headline"]} or not found.issuperset(wanted):
        raise AvfError(f"{path}: made with other settings. Run `avf robust {corpus}`.")
    runs = [(f, s) for f in study["fusions"] for s in study["seeds"]]
    by_run = dict(list(table.groupby(["fusion", "seed"])))
    by_run = {run: by_run[run] for run in runs if run in by_run}
    if not by_run:
        return None
    names = read_rating(corpus, layout).names
    videos = sorted(set.intersection(*(set(rows["video"]) for rows in by_run.values())))
    sums: dict[str, dict[int, dict[Case, np.ndarray]]] = {}
    for (fusion, seed), rows in by_run.items():
        at = rows.set_index(["corruption", "level", "target", "video"])[list(SUMS)].sort_index()
        own = {
            case: np.stack([at.loc[(*case, d)].loc[videos].to_numpy(float) for d in names])
            for case in wanted
        }
        sums.setdefault(fusion, {})[seed] = own
    grid = study["robustness"].items()
    levels = {name: np.array([find(name)[1].whole, *given]) for name, given in grid}
    share = table.groupby(["corruption", "level"])[["no_audio", "no_video"]].mean()
    absent = {modality: share[f"no_{modality}"].to_dict() for modality in MODALITIES}
    rule = protocol.load(study["headline"])
    how, partition = study["statistics"], table["partition"].iloc[0]
    whose = units.subjects(corpus, videos, layout, how)
    unit = units.numbers(whose, how)
    return Curves(corpus, rule, partition, videos, levels, absent, sums, names, unit)


def shares(levels: np.ndarray) -> np.ndarray:
    """Weights (L,) of a curve's values in its mean over the levels, by trapezoids.

    >>> shares(np.array([0.0, 0.5, 1.0])).tolist()
    [0.25, 0.5, 0.25]
    """
    steps = np.diff(levels)
    return (np.append(steps, 0) + np.append(0, steps)) / 2 / levels[-1]


def loss(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """How far the curves (L, ...) lie below their own start, on average over the levels; (...).

    >>> float(loss(np.array([0.8, 0.4, 0.0]), np.array([0.0, 0.5, 1.0])))
    0.4
    """
    return np.tensordot(shares(levels), values[0] - values, 1)


def estimates(curves: Curves, study: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a fusion, corruption, level and target; and, without levels, its loss and mean."""
    how, count, pooling = study["statistics"], len(curves.videos), curves.rule.pooling
    weight = inference.draw(count, how["draws"], how["seed"], curves.unit)
    points, losses = [], []
    for fusion, name in itertools.product(curves.sums, curves.levels):
        seeds, places = sorted(curves.sums[fusion]), curves.places(name)
        sums = curves.stack(fusion, seeds, name)
        each = np.stack([point(one, pooling) for one in sums])  # (L, S, K + 1)
        drawn = np.stack([target_scores(one, weight, pooling).mean(axis=0) for one in sums])
        spread = each.std(axis=1, ddof=1) if len(seeds) > 1 else np.full(each.shape[::2], np.nan)
        ends = inference.interval(drawn, curves.units, how["alpha"])  # (2, L, K + 1)
        lost = loss(each.mean(axis=1), places)  # (K + 1,)
        low, high = inference.interval(loss(drawn, places), curves.units, how["alpha"])
        key = {"corpus": curves.corpus, "fusion": fusion, "corruption": name}
        size = {"seeds": len(seeds), "videos": count, "units": curves.units}
        for t, target in enumerate((*curves.names, MEAN)):
            whole = each[0].mean(axis=0)[t]
            losses.append({**key, "target": target, "whole": whole, "mean": whole - lost[t],
                           "loss": lost[t], "low": low[t], "high": high[t], **size})  # fmt: skip
            for i, case in enumerate(curves.cases(name)):
                points.append({**key, "level": curves.levels[name][i], "place": places[i],
                               "target": target,
                               "mean": each[i].mean(axis=0)[t], "sd": spread[i, t],
                               "low": ends[0, i, t], "high": ends[1, i, t], **size,
                               "absent": curves.absent[find(name)[0]][case]})  # fmt: skip
    return pd.DataFrame(points), pd.DataFrame(losses)


def comparisons(curves: Curves, study: dict[str, Any]) -> pd.DataFrame:
    """A row a pair, corruption and target: what `other` loses more than `fusion`, paired.

    Holm's family is all pairs of one corruption and target.
    """
    how, count, pooling = study["statistics"], len(curves.videos), curves.rule.pooling
    weight = inference.draw(count, how["draws"], how["seed"], curves.unit)
    rows = []
    for name in curves.levels:
        levels = curves.places(name)
        for pair in itertools.combinations(curves.sums, 2) if curves.units > 1 else ():
            seeds = sorted(set.intersection(*(set(curves.sums[fusion]) for fusion in pair)))
            if not seeds:
                continue
            a, b = (curves.stack(fusion, seeds, name) for fusion in pair)
            gap = _lost(b, levels, pooling) - _lost(a, levels, pooling)
            drawn = _lost(b, levels, pooling, weight) - _lost(a, levels, pooling, weight)
            low, high = inference.interval(drawn, curves.units, how["alpha"])
            p = swap_test(a, b, levels, pooling, how, curves.unit)
            for t, target in enumerate((*curves.names, MEAN)):
                rows.append({"corpus": curves.corpus, "corruption": name, "target": target,
                             "fusion": pair[0], "other": pair[1], "difference": gap[t, 0],
                             "low": low[t], "high": high[t], "p": p[t]})  # fmt: skip
    columns = ["corpus", "corruption", "target", "fusion", "other", "difference", "low", "high"]
    table = pd.DataFrame(rows, columns=[*columns, "p"])
    family = table.groupby(["corruption", "target"])["p"]
    table["p_holm"] = family.transform(lambda p: inference.holm(p.to_numpy())) if rows else []
    told = zip(table["low"], table["high"], table["p_holm"], strict=True)
    table["told_apart"] = [inference.told_apart(*row, how["alpha"]) for row in told]
    return table


def swap_test(
    a: np.ndarray,
    b: np.ndarray,
    levels: np.ndarray,
    pooling: str,
    how: dict[str, Any],
    unit: np.ndarray | None = None,
) -> np.ndarray:
    """Two-sided p (K + 1,) that fusions a and b, sums (L, S, K, V, 6), lose alike.

    As `stats.swap_test`: in each draw some units change sides, with all their levels and seeds.
    """
    swap, exact = inference.exchanges(a.shape[-2], how["draws"], how["seed"], unit)
    both = np.concatenate([a, b], axis=-2)  # (L, S, K, 2V, 6)
    first = _lost(both, levels, pooling, np.hstack([1 - swap, swap]))
    second = _lost(both, levels, pooling, np.hstack([swap, 1 - swap]))
    real = (_lost(a, levels, pooling) - _lost(b, levels, pooling))[:, 0]
    count = (~(np.abs(first - second) < np.abs(real)[:, None] - 1e-12)).sum(axis=1)
    p = count / len(swap) if exact else (1 + count) / (1 + len(swap))
    return np.where(np.isnan(real), np.nan, p)


def _lost(
    sums: np.ndarray, levels: np.ndarray, pooling: str, weight: np.ndarray | None = None
) -> np.ndarray:
    """Loss of a fusion, sums (L, S, K, V, 6), averaged over seeds, in each draw: (K + 1, N)."""
    weight = np.ones((1, sums.shape[-2])) if weight is None else weight
    drawn = [target_scores(one, weight, pooling).mean(axis=0) for one in sums]
    return loss(np.stack(drawn), levels)
