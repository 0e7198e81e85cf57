"""Read what the scoring of a corpus wrote: scores, rules, and the sums of all runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.baseline import REFERENCES
from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation import inference, units
from avfusion.evaluation.missing import PREDICT
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN, constant_gold
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
    fits: dict[int, int] = field(default_factory=dict)  # seed -> encoder fit

    @property
    def units(self) -> int:
        """Number of units behind intervals and tests: videos, or subjects."""
        return inference.units(len(self.videos), self.unit)

    @property
    def unit_word(self) -> str:
        """What is independent, for sentences: `video` or `subject`."""
        return units.word(self.unit)

    @property
    def constant(self) -> tuple[str, ...]:
        """Targets with constant gold in the scored videos, or in each; their CCC is undefined."""
        runs = next(iter(self.sums.values()), {})
        if not runs or not self.videos or self.rule.pooling == "recall":
            return ()
        flat = constant_gold(next(iter(runs.values())), self.rule.pooling)
        return tuple(name for name, one in zip(self.names, flat, strict=True) if one)

    def fusions(self, study: Study) -> list[str]:
        """Return the fusions of the study, then the references that were scored."""
        return [*study.fusions, *(name for name in self.sums if name not in study.fusions)]

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
    scores = read_scores(corpus, layout)
    scores = scores[(scores["protocol"] == rule.name) & (scores["partition"] == partition)]
    here = [("protocol", "==", rule.name), ("partition", "==", partition)]
    sums = read_table(folder / "sums.parquet", filters=here)
    sums = sums.astype(dict.fromkeys(("fusion", "target", "video"), "category"))
    reasons = scores[scores["note"] != ""].set_index(["fusion", "seed"])["note"].to_dict()
    scored: dict[Any, pd.DataFrame] = dict(list(sums.groupby(["fusion", "seed"], observed=True)))
    trained = [(fusion, seed) for fusion in study.fusions for seed in study.seeds]
    notes = {run: reasons.get(run, "not scored") for run in trained if run not in scored}
    wanted = [*trained, *((name, seed) for name in REFERENCES for seed in study.seeds)]
    runs = {run: scored[run] for run in wanted if run in scored}
    videos = sorted(
        set.intersection(*(set(r["video"].unique()) for r in runs.values())) if runs else []
    )
    names = read_names(corpus, study, layout)
    missing, in_training = _missing(folder, partition)
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
        sums=_sums(runs, videos, names, rule),
        names=names,
        subjects=subjects,
        unit=unit,
        fits={seed: study.fit_of(seed) for seed in study.seeds},
    )


def _sums(
    runs: dict[tuple[str, int], pd.DataFrame],
    videos: list[str],
    names: tuple[str, ...],
    rule: Protocol,
) -> dict[str, dict[int, np.ndarray]]:
    """Return fusion -> seed -> sums of each target and video (K, V, 6)."""
    table: dict[str, dict[int, np.ndarray]] = {}
    for (fusion, seed), rows in runs.items():
        places = [(rows["target"], names), (rows["video"], videos)]
        table.setdefault(fusion, {})[seed] = placed(rows[list(rule.sums)], places)
    return table


def placed(rows: pd.DataFrame, places: Sequence[tuple[pd.Series, Sequence[Any]]]) -> np.ndarray:
    """Return the rows of a table at their places in an array.

    Parameters
    ----------
    rows
        Numbers, (R, C).
    places
        Of each axis, the value in each row (R,), and the values along the axis. Rows with other
        values are left out.

    Returns
    -------
    ndarray
        A row for each combination of values, (..., C).

    Raises
    ------
    KeyError
        If a combination has no row.

    Examples
    --------
    >>> rows = pd.DataFrame({"video": ["b", "c", "a"], "n": [2, 3, 1]})
    >>> placed(rows[["n"]], [(rows["video"], ["a", "b"])]).tolist()
    [[1.0], [2.0]]
    """
    at = np.stack([pd.Index(axis).get_indexer(pd.Index(of)) for of, axis in places])
    kept, shape = (at >= 0).all(axis=0), tuple(len(axis) for _, axis in places)
    flat = np.ravel_multi_index(tuple(at[:, kept]), shape) if kept.any() else at[0, kept]
    if len(np.unique(flat)) < np.prod(shape):
        raise KeyError(f"{len(np.unique(flat))} of {np.prod(shape)} rows are in the table.")
    table = np.empty((int(np.prod(shape)), rows.shape[1]))
    table[flat] = rows.to_numpy(float)[kept]
    return table.reshape(*shape, rows.shape[1])


def _missing(folder: Path, partition: str) -> tuple[list[str], list[str]]:
    """Return the videos of a partition, and of the others, that are not scored."""
    lost = pd.read_csv(folder / "missing.csv")
    lost = lost[lost["stage"] != PREDICT]  # these are scored
    here = lost["partition"] == partition
    missing, elsewhere = (sorted(set(lost.loc[of, "video"].astype(str))) for of in (here, ~here))
    return missing, elsewhere
