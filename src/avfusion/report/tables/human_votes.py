"""Test videos that human raters judged, with the sums of models and raters per actor.

Shapes: V videos, U actors, K classes, S seeds. Recall depends only on sums over videos, so videos
are summed per actor, the unit that the bootstrap draws.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from avfusion.config import match
from avfusion.config.sections import StatisticsSettings
from avfusion.errors import CorpusError
from avfusion.evaluation import units
from avfusion.evaluation.scored import Scored
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.report.tables.folds import in_several, pooled
from avfusion.report.tables.part import TableData
from avfusion.schemas import JUDGED


@dataclass(frozen=True)
class Judged:
    """Videos that every run predicted and that raters judged in each modality.

    Parameters
    ----------
    corpus, partition
        Name of the corpus or split, and the reported partition.
    entries
        Entries of `corpora` that the videos are from.
    names
        The K classes.
    runs
        Fusion -> seed -> sums of the models (K, U, 3).
    fits
        Seed -> number of the encoder fit.
    human
        Modality -> sums of the raters (1, K, U, 3): responses and right responses as `n` and `hit`.
    videos
        Number of videos of each class, (K,).
    unjudged
        Number of scored videos that are left out, because a modality has no votes.
    other
        Number of videos whose label is not the intended emotion.
    """

    corpus: str
    partition: str
    entries: list[str]
    names: tuple[str, ...]
    runs: dict[str, dict[int, np.ndarray]]
    fits: dict[int, int]
    human: dict[str, np.ndarray]
    videos: np.ndarray
    unjudged: int
    other: int

    @property
    def count(self) -> int:
        """Number of videos."""
        return int(self.videos.sum())

    @property
    def actors(self) -> np.ndarray:
        """Number of actors with videos of each class, (K,)."""
        counts: np.ndarray = (self.human["both"][0, ..., 0] > 0).sum(axis=1)
        return counts

    @property
    def units(self) -> int:
        """U, the number of actors."""
        return int(self.human["both"].shape[2])

    def stack(self, fusion: str, seeds: list[int]) -> np.ndarray:
        """Return the sums (S, K, U, 3) of a fusion's runs with these seeds."""
        return np.stack([self.runs[fusion][seed] for seed in seeds])


def judged(data: TableData) -> Iterator[Judged]:
    """Yield each scored corpus of classes with human votes, then the folds of each split."""
    study, layout = data.study, data.layout
    parts = {part.scored.corpus: part.scored for part in data.parts}
    scored = {name: one for name, one in parts.items() if one.rule.pooling == "recall"}
    votes = {name: read_votes(name, layout) for name in scored}
    voted = {name: table for name, table in votes.items() if len(table)}
    for name, table in voted.items():
        yield restricted(scored[name], table, [name])
    for name, entries in match.groups(study).items():
        folds = [scored[entry] for entry in entries if entry in voted]
        if len(folds) > 1 and not in_several(folds):
            merged = pooled(name if name not in study.corpora else f"{name}_folds", folds)
            names = [fold.corpus for fold in folds]
            # `pooled` names a video <entry>/<video>.
            every = [voted[e].assign(clip=f"{e}/" + voted[e]["clip"].astype(str)) for e in names]
            yield restricted(merged, pd.concat(every, ignore_index=True), names)


def read_votes(corpus: str, layout: Layout) -> pd.DataFrame:
    """Return the human votes of a corpus (`schemas.VOTES`); without rows if it has none.

    Raises
    ------
    CorpusError
        If the corpus was not verified.
    """
    path = layout.votes(corpus)
    if not path.is_file():
        raise CorpusError(f"File not found: {path}. Run: avf verify {corpus}")
    return read_table(path)


def restricted(scored: Scored, votes: pd.DataFrame, entries: list[str]) -> Judged:
    """Cut runs and votes to the same videos, and sum them per actor.

    Parameters
    ----------
    scored
        Sums of the runs of a corpus of classes.
    votes
        Human votes with the columns `schemas.VOTES`.
    entries
        Entries of `corpora` that the videos are from.

    Returns
    -------
    Judged
        The videos that were scored, and that raters judged in each modality.
    """
    votes = votes[votes["responses"] > 0]
    of_each = {name: votes[votes["modality"] == name].set_index("clip") for name in JUDGED}
    known = set.intersection(*(set(table.index) for table in of_each.values()))
    place = [i for i, video in enumerate(scored.videos) if video in known]
    videos = [scored.videos[i] for i in place]
    human = {name: _sums(table.loc[videos], scored.names) for name, table in of_each.items()}
    cut = {f: {s: sums[:, place] for s, sums in of.items()} for f, of in scored.sums.items()}
    label = next((sums[..., 0] > 0 for of in cut.values() for sums in of.values()), None)
    meant = human["both"][..., 0] > 0  # (K, V)
    member = _member([scored.subjects[i] for i in place])
    return Judged(
        corpus=scored.corpus,
        partition=scored.partition,
        entries=entries,
        names=scored.names,
        fits=scored.fits,
        runs={f: {s: member @ sums for s, sums in of.items()} for f, of in cut.items()},
        human={name: (member @ sums)[None] for name, sums in human.items()},
        videos=meant.sum(axis=1),
        unjudged=len(scored.videos) - len(videos),
        other=0 if label is None else int((meant != label).any(axis=0).sum()),
    )


def _member(subjects: list[str]) -> np.ndarray:
    """Return which of V videos shows which of U actors, (U, V)."""
    unit = units.numbers(subjects, StatisticsSettings(unit="subject"))
    numbers = np.empty(0) if unit is None else unit
    return (numbers == np.unique(numbers)[:, None]).astype(float)


def _sums(votes: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Return the sums (K, V, 3) of the votes of V videos, as those of a run."""
    of_class = np.array([votes["emotion"].to_numpy() == name for name in names])  # (K, V)
    predicted = np.zeros(len(votes))  # only F1 reads it, which is not used here
    counts = np.column_stack([votes["responses"], votes["right"], predicted]).astype(float)
    sums: np.ndarray = of_class[..., None] * counts
    return sums
