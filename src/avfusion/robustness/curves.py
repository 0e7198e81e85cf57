"""Curves of CCC over levels of corruption, as `avf robust` wrote them.

Shapes: L levels of one corruption, clean input first; V videos, S seeds, K targets. The area is the
mean of a curve over the levels (trapezoids, over the greatest level). The loss is the start of a
curve minus its area. Both are weighted sums of the levels' scores (`curve_estimates`).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from avfusion.config.corruptions import CLEAN, MODALITIES, Case, cases, find
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation import inference, units
from avfusion.evaluation.scored import placed, read_rating
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS
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
    fits: dict[int, int] = field(default_factory=dict)  # seed -> encoder fit

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
    table, wanted = read_table(path), cases(study)
    place = pd.DataFrame(wanted, columns=["corruption", "level"]).assign(case=range(len(wanted)))
    table = table.merge(place, "left", ["corruption", "level"]).fillna({"case": -1})
    if set(table["protocol"]) != {study.headline} or not set(place["case"]) <= set(table["case"]):
        raise AvfError(f"{path} was made with other settings. Run: avf robust {corpus}")
    table = table.astype(dict.fromkeys(("corruption", "fusion", "target", "video"), "category"))
    runs = [(fusion, seed) for fusion in study.fusions for seed in study.seeds]
    groups: dict[Any, pd.DataFrame] = dict(list(table.groupby(["fusion", "seed"], observed=True)))
    by_run = {run: groups[run] for run in runs if run in groups}
    if not by_run:
        return None
    names = read_rating(corpus, layout).names
    videos = sorted(set.intersection(*(set(rows["video"].unique()) for rows in by_run.values())))
    sums: dict[str, dict[int, dict[Case, np.ndarray]]] = {}
    for (fusion, seed), rows in by_run.items():
        axes = {"case": range(len(wanted)), "target": names, "video": videos}
        places = [(rows[name], axis) for name, axis in axes.items()]
        each = placed(rows[list(SUMS)], places)
        sums.setdefault(fusion, {})[seed] = dict(zip(wanted, each, strict=True))
    robustness = study.robustness.items()
    levels = {name: np.array([find(name)[1].clean, *given]) for name, given in robustness}
    share = table.groupby(["corruption", "level"], observed=True)[["no_audio", "no_video"]].mean()
    absent: dict[str, dict[Any, float]] = {
        modality: share[f"no_{modality}"].to_dict() for modality in MODALITIES
    }
    rule, partition = protocol.load(study.headline), table["partition"].iloc[0]
    subjects = units.subjects(corpus, videos, layout, study.statistics)
    unit = units.numbers(subjects, study.statistics)
    fits = {seed: study.fit_of(seed) for seed in study.seeds}
    return Curves(corpus, rule, partition, videos, levels, absent, sums, names, unit, fits)


def shares(levels: np.ndarray) -> np.ndarray:
    """Return the weights (L,) of a curve's values in its mean over the levels, by trapezoids.

    >>> shares(np.array([0.0, 0.5, 1.0])).tolist()
    [0.25, 0.5, 0.25]
    """
    steps = np.diff(levels)
    return (np.append(steps, 0) + np.append(0, steps)) / 2 / levels[-1]


def loss_shares(levels: np.ndarray) -> np.ndarray:
    """Return the weights (L,) of a curve's values in its loss: its start minus its mean.

    >>> loss_shares(np.array([0.0, 0.5, 1.0])).tolist()
    [0.75, -0.5, -0.25]
    """
    weights = -shares(levels)
    weights[0] += 1
    return weights
