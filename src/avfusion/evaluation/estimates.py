"""From the sums of scored runs to estimates, intervals and paired comparisons of fusions."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.tasks import task_of
from avfusion.errors import AvfError
from avfusion.evaluation import inference, units
from avfusion.evaluation.protocol import Protocol
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN, point, target_scores
from avfusion.rating import DIMENSIONS, Rating


@dataclass(frozen=True)
class Scored:
    """One corpus under one protocol on one partition, on the videos that every run has."""

    corpus: str
    rule: Protocol
    partition: str
    videos: list[str]
    missing: list[str]
    unlearnt: list[str]  # missing from the other partitions: fitted or chosen without them
    notes: dict[tuple[str, int], str]  # (fusion, seed) -> why it has no score
    sums: dict[str, dict[int, np.ndarray]]  # fusion -> seed -> (K, V, 6)
    names: tuple[str, ...] = DIMENSIONS  # K targets
    subjects: tuple[str, ...] = ()  # who is seen in each video
    unit: np.ndarray | None = None  # (V,), see `avfusion.evaluation.units`

    @property
    def units(self) -> int:
        """How many units intervals and tests rest on: videos, or subjects."""
        return inference.units(len(self.videos), self.unit)

    def draw(self, how: dict[str, Any]) -> np.ndarray:
        """The resamplings (N, V) of `study["statistics"]`."""
        return inference.draw(len(self.videos), how["draws"], how["seed"], self.unit)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets and, last, their mean."""
        return *self.names, MEAN

    def stack(self, fusion: str, seeds: list[int]) -> np.ndarray:
        """Sums (S, K, V, 6) of a fusion's runs with these seeds."""
        return np.stack([self.sums[fusion][seed] for seed in seeds])


def read_rating(corpus: str, layout: Layout) -> Rating:
    """What a corpus rates, as its card says."""
    path = layout.card(corpus)
    return Rating.of(json.loads(path.read_text()) if path.is_file() else {})


def read_names(corpus: str, study: dict[str, Any], layout: Layout) -> tuple[str, ...]:
    """What is scored of a corpus: its targets, or its classes."""
    path = layout.card(corpus)
    card = json.loads(path.read_text()) if path.is_file() else {}
    if task_of(corpus, study) == "classes":
        return tuple(card.get("classes", ()))
    return Rating.of(card).names


def read_scores(corpus: str, layout: Layout) -> pd.DataFrame:
    """scores.parquet of a corpus; empty where it was never scored."""
    path = layout.scores(corpus) / "scores.parquet"
    return read_table(path) if path.is_file() else pd.DataFrame()


def reported_partition(scores: pd.DataFrame) -> str:
    """`test`, or `validation` where this copy of the corpus has no test ratings."""
    rated = set(scores.loc[scores["videos"] > 0, "partition"])
    return "validation" if "validation" in rated and "test" not in rated else "test"


def read_rules(corpus: str, study: dict[str, Any], layout: Layout) -> list[Protocol]:
    """The study's protocols as they were when the scores were made."""
    path = layout.scores(corpus) / "protocols.json"
    used = json.loads(path.read_text()) if path.is_file() else {}
    absent = [name for name in study["protocols"] if name not in used]
    if absent:
        raise AvfError(f"{corpus}: not scored under {', '.join(absent)}. Run `avf score {corpus}`.")
    rules = [{k: v for k, v in used[name].items() if k != "fitted"} for name in study["protocols"]]
    return [Protocol.model_validate(rule) for rule in rules]


def read_scored(
    corpus: str, study: dict[str, Any], layout: Layout, rule: Protocol, partition: str
) -> Scored:
    """The sums of all the study's runs, cut to the videos that all of them scored."""
    folder = layout.scores(corpus)
    scores, sums = read_scores(corpus, layout), read_table(folder / "sums.parquet")
    scores = scores[(scores["protocol"] == rule.name) & (scores["partition"] == partition)]
    sums = sums[(sums["protocol"] == rule.name) & (sums["partition"] == partition)]
    said = scores[scores["note"] != ""].set_index(["fusion", "seed"])["note"].to_dict()
    runs = {key: rows for key, rows in sums.groupby(["fusion", "seed"])}
    wanted = [(fusion, seed) for fusion in study["fusions"] for seed in study["seeds"]]
    notes = {run: said.get(run, "not scored") for run in wanted if run not in runs}
    runs = {run: runs[run] for run in wanted if run in runs}
    videos = sorted(set.intersection(*(set(r["video"]) for r in runs.values())) if runs else [])
    names = read_names(corpus, study, layout)
    table: dict[str, dict[int, np.ndarray]] = {}
    for (fusion, seed), rows in runs.items():
        by = rows.set_index(["target", "video"])[list(rule.sums)]
        table.setdefault(fusion, {})[seed] = np.stack(
            [by.loc[d].loc[videos].to_numpy(float) for d in names]
        )
    gone = pd.read_csv(folder / "missing.csv")
    here = gone["partition"] == partition
    missing, unlearnt = (sorted(set(gone.loc[of, "video"].astype(str))) for of in (here, ~here))
    whose = tuple(units.subjects(corpus, videos, layout, study["statistics"])) if videos else ()
    unit = units.numbers(whose, study["statistics"]) if videos else None
    return Scored(
        corpus, rule, partition, videos, missing, unlearnt, notes, table, names, whose, unit
    )


def estimates(scored: Scored, study: dict[str, Any]) -> pd.DataFrame:
    """A row a fusion and target, best mean first: mean and sd over seeds, interval over videos."""
    how = study["statistics"]
    count = len(scored.videos)
    weight = scored.draw(how) if count else None
    rows, width = [], len(scored.targets)
    for fusion in study["fusions"]:
        seeds = sorted(scored.sums.get(fusion, {})) if count else []
        values = np.full((4, width), np.nan)  # mean, sd, low, high
        frames = np.zeros(width - 1, int)
        if seeds:
            sums = scored.stack(fusion, seeds)
            each = point(sums, scored.rule.pooling)  # (S, K + 1)
            samples = target_scores(sums, weight, scored.rule.pooling).mean(axis=0)  # (K + 1, N)
            spread = each.std(axis=0, ddof=1) if len(seeds) > 1 else np.full(width, np.nan)
            ends = inference.interval_of_targets(
                samples, sums, scored.rule.pooling, how["alpha"], scored.unit
            )
            values = np.stack([each.mean(axis=0), spread, *ends])
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
    """Fusions by their mean CCC, best first, those without a score last."""
    rows = table[table["target"] == "mean"]
    return list(rows.sort_values("mean", ascending=False, kind="stable")["fusion"])


def comparisons(scored: Scored, study: dict[str, Any], order: list[str]) -> pd.DataFrame:
    """A row a pair and target; Holm's family is all pairs of one corpus and target."""
    how = study["statistics"]
    rows = []
    for pair in itertools.combinations(order, 2):
        nothing = dict.fromkeys(("difference", "low", "high", "p", "p_seeds"), np.nan)
        found = [nothing] * len(scored.targets)
        seeds = sorted(set.intersection(*(set(scored.sums.get(f, {})) for f in pair)))
        if seeds and scored.units > 1:
            found = _compare(scored, pair, seeds, how)
        for target, values in zip(scored.targets, found, strict=True):
            names = {"target": target, "fusion": pair[0], "other": pair[1]}
            rows.append({**_key(scored), **names, **values, "seeds": len(seeds)})
    table = pd.DataFrame(rows)
    if not len(table):
        return table
    table["videos"] = len(scored.videos)
    table["p_holm"] = table.groupby("target")["p"].transform(lambda p: inference.holm(p.to_numpy()))
    alpha = how["alpha"]
    table["told_apart"] = [
        inference.told_apart(r.low, r.high, r.p_holm, alpha) for r in table.itertuples()
    ]
    table["verdict"] = [
        inference.verdict((r.fusion, r.other), r.difference, (r.low, r.high), r.p_holm, alpha)
        for r in table.itertuples()
    ]
    return table


def _compare(
    scored: Scored, pair: tuple[str, ...], seeds: list[int], how: dict[str, Any]
) -> list[dict[str, float]]:
    """Difference, interval and p of one pair on the seeds both have, a dictionary a target.

    p is of these trainings on other videos, p_seeds of other trainings on these videos.
    """
    pooling, unit = scored.rule.pooling, scored.unit
    a, b = (scored.stack(fusion, seeds) for fusion in pair)
    weight = scored.draw(how)
    each = point(a, pooling), point(b, pooling)  # (S, K + 1)
    gap = (each[0] - each[1]).mean(axis=0)  # (K + 1,)
    samples = (target_scores(a, weight, pooling) - target_scores(b, weight, pooling)).mean(axis=0)
    low, high = inference.interval_of_targets(samples, a, pooling, how["alpha"], unit)
    p = inference.swap_test(a, b, pooling, how["draws"], how["seed"], unit)
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
    said = [f"seed {s}: {note}" for (f, s), note in scored.notes.items() if f == fusion]
    return " ".join(said)
