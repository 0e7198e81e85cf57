"""Estimates, intervals and paired comparisons of fusions from the sums of scored runs."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation import inference, units
from avfusion.evaluation.missing import PREDICT
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN, point, target_scores
from avfusion.protocols.protocol import Protocol
from avfusion.rating import DIMENSIONS, Rating


@dataclass(frozen=True)
class Scored:
    """One corpus under one protocol on one partition, on the videos that all runs scored."""

    corpus: str
    rule: Protocol
    partition: str
    videos: list[str]
    missing: list[str]
    missing_in_training: list[str]  # videos of the other partitions, which fit and choose
    notes: dict[tuple[str, int], str]  # (fusion, seed) -> why it has no score
    sums: dict[str, dict[int, np.ndarray]]  # fusion -> seed -> (K, V, 6)
    names: tuple[str, ...] = DIMENSIONS  # K targets
    subjects: tuple[str, ...] = ()  # subject of each video
    unit: np.ndarray | None = None  # (V,), see `avfusion.evaluation.units`

    @property
    def units(self) -> int:
        """Number of units behind intervals and tests: videos, or subjects."""
        return inference.units(len(self.videos), self.unit)

    def draw(self, statistics: StatisticsSettings) -> np.ndarray:
        """Return the bootstrap weights (N, V)."""
        return inference.draw(len(self.videos), statistics.draws, statistics.seed, self.unit)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets and, last, their mean."""
        return *self.names, MEAN

    def stack(self, fusion: str, seeds: list[int]) -> np.ndarray:
        """Return the sums (S, K, V, 6) of a fusion's runs with these seeds."""
        return np.stack([self.sums[fusion][seed] for seed in seeds])


def read_rating(corpus: str, layout: Layout) -> Rating:
    """Return the targets of a corpus and their scale from its card."""
    path = layout.card(corpus)
    return Rating.of(json.loads(path.read_text()) if path.is_file() else {})


def read_names(corpus: str, study: Study, layout: Layout) -> tuple[str, ...]:
    """Return what is scored of a corpus: its targets, or its classes."""
    path = layout.card(corpus)
    card = json.loads(path.read_text()) if path.is_file() else {}
    if study.task(corpus) == "classes":
        return tuple(card.get("classes", ()))
    return Rating.of(card).names


def read_scores(corpus: str, layout: Layout) -> pd.DataFrame:
    """Read scores.parquet of a corpus; empty if it was never scored."""
    path = layout.scores(corpus) / "scores.parquet"
    return read_table(path) if path.is_file() else pd.DataFrame()


def read_rules(corpus: str, study: Study, layout: Layout) -> list[Protocol]:
    """Read the study's protocols as they were when the corpus was scored."""
    path = layout.scores(corpus) / "protocols.json"
    used = json.loads(path.read_text()) if path.is_file() else {}
    absent = [name for name in study.protocols if name not in used]
    if absent:
        raise AvfError(f"{corpus} is not scored under {', '.join(absent)}. Run: avf score {corpus}")
    rules = [{k: v for k, v in used[name].items() if k != "fitted"} for name in study.protocols]
    return [Protocol.model_validate(rule) for rule in rules]


def read_scored(
    corpus: str, study: Study, layout: Layout, rule: Protocol, partition: str
) -> Scored:
    """Read the sums of all runs of a study, cut to the videos that all of them scored.

    Parameters
    ----------
    corpus
        Name of the corpus.
    study
        Its fusions and seeds are read; `statistics` sets the units.
    layout
        Paths of the results.
    rule
        The protocol.
    partition
        `train`, `validation` or `test`.

    Returns
    -------
    Scored
        Runs without a score have a note.
    """
    folder = layout.scores(corpus)
    scores, sums = read_scores(corpus, layout), read_table(folder / "sums.parquet")
    scores = scores[(scores["protocol"] == rule.name) & (scores["partition"] == partition)]
    sums = sums[(sums["protocol"] == rule.name) & (sums["partition"] == partition)]
    reasons = scores[scores["note"] != ""].set_index(["fusion", "seed"])["note"].to_dict()
    scored: dict[Any, pd.DataFrame] = dict(list(sums.groupby(["fusion", "seed"])))
    wanted = [(fusion, seed) for fusion in study.fusions for seed in study.seeds]
    notes = {run: reasons.get(run, "not scored") for run in wanted if run not in scored}
    runs = {run: scored[run] for run in wanted if run in scored}
    videos = sorted(set.intersection(*(set(r["video"]) for r in runs.values())) if runs else [])
    names = read_names(corpus, study, layout)
    table: dict[str, dict[int, np.ndarray]] = {}
    for (fusion, seed), rows in runs.items():
        by_target = rows.set_index(["target", "video"])[list(rule.sums)]
        table.setdefault(fusion, {})[seed] = np.stack(
            [by_target.loc[name].loc[videos].to_numpy(float) for name in names]
        )
    lost = pd.read_csv(folder / "missing.csv")
    lost = lost[lost["stage"] != PREDICT]  # these are scored
    here = lost["partition"] == partition
    missing, in_training = (sorted(set(lost.loc[of, "video"].astype(str))) for of in (here, ~here))
    subjects: tuple[str, ...] = ()
    unit = None
    if videos:
        subjects = tuple(units.subjects(corpus, videos, layout, study.statistics))
        unit = units.numbers(subjects, study.statistics)
    return Scored(
        corpus=corpus,
        rule=rule,
        partition=partition,
        videos=videos,
        missing=missing,
        missing_in_training=in_training,
        notes=notes,
        sums=table,
        names=names,
        subjects=subjects,
        unit=unit,
    )


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
            results = _compare(scored, pair, seeds, statistics)
        for target, values in zip(scored.targets, results, strict=True):
            names = {"target": target, "fusion": pair[0], "other": pair[1]}
            rows.append({**_key(scored), **names, **values, "seeds": len(seeds)})
    table = pd.DataFrame(rows)
    if not len(table):
        return table
    table["videos"] = len(scored.videos)
    table["p_holm"] = table.groupby("target")["p"].transform(lambda p: inference.holm(p.to_numpy()))
    alpha = statistics.alpha
    columns = ["fusion", "other", "difference", "low", "high", "p_holm"]
    each = list(table[columns].itertuples(index=False, name=None))
    table["significant"] = [
        inference.significant(low, high, p, alpha) for _, _, _, low, high, p in each
    ]
    table["verdict"] = [
        inference.verdict((fusion, other), difference, (low, high), p, alpha)
        for fusion, other, difference, low, high, p in each
    ]
    return table


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
