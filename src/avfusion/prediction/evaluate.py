"""How good the mean over a bundle's members is, and how wide its intervals must be.

The predictions of the runs on validation and test are read from their files; nothing is predicted
again. Intervals are calibrated on validation people, and their coverage is measured on test people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.jobs import RunRecord
from avfusion.config.study import Study
from avfusion.errors import BundleError
from avfusion.evaluation import inference, units
from avfusion.evaluation.scored import read_rating
from avfusion.features.gold import targets as on_grid
from avfusion.io.shards import read_table
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN, target_scores, video_sums
from avfusion.prediction.calibrate import LEVEL, Rated, calibrate, coverage
from avfusion.prediction.document import Calibration, Coverage, Score
from avfusion.runs.files import read_traces

PROTOCOL = "pooled"
"""CCC over all rated rows of a partition together."""


@dataclass(frozen=True)
class Evaluated:
    """What `evaluate` returns."""

    calibration: Calibration
    scores: list[Score]


@dataclass(frozen=True)
class _Part:
    """The rows of one partition: predictions (M, N, K), gold (N, K), video and subject (N,)."""

    members: np.ndarray
    gold: np.ndarray
    video: np.ndarray
    subject: np.ndarray

    def rated(self, target: int) -> Rated:
        """Return the rated rows of a target."""
        kept = ~np.isnan(self.gold[:, target]) & ~np.isnan(self.members[..., target]).any(0)
        person = np.unique(self.subject[kept], return_inverse=True)[1]
        return Rated(self.members[:, kept, target], self.gold[kept, target], person)


def evaluate(
    folders: Sequence[Path], records: Sequence[RunRecord], study: Study, layout: Layout
) -> Evaluated:
    """Calibrate and score the mean over some runs.

    Raises
    ------
    BundleError
        If a target has no rated row on the validation partition.
    """
    corpus = records[0].corpus
    rating = read_rating(corpus, layout)
    traces = [read_traces(f, r) for f, r in zip(folders, records, strict=True)]
    parts = {
        partition: _part(corpus, partition, traces, study, layout)
        for partition in ("validation", "test")
    }
    validation = parts["validation"]
    intervals, people = {}, 0
    for index, target in enumerate(rating.names):
        rated = validation.rated(index)
        if not len(rated.gold):
            raise BundleError(
                f"{corpus}: no rated validation row of {target}, so its interval cannot be "
                f"calibrated. Rate validation videos, or train without this target."
            )
        intervals[target] = calibrate(rated)
        people = max(people, len(np.unique(rated.person)))
    test = parts["test"]
    known = {t: test.rated(k) for k, t in enumerate(rating.names) if len(test.rated(k).gold)}
    measured = None
    if known:
        ends = rating.low, rating.high
        measured = Coverage(
            partition="test",
            people=max(len(np.unique(rated.person)) for rated in known.values()),
            rows=max(len(rated.gold) for rated in known.values()),
            shares={t: coverage(rated, intervals[t], *ends) for t, rated in known.items()},
        )
    calibration = Calibration(
        level=LEVEL,
        people=people,
        intervals=intervals,
        coverage=measured,
    )
    scores = [_score(name, part, rating.names, study) for name, part in parts.items()]
    return Evaluated(calibration, [score for score in scores if score is not None])


def _part(
    corpus: str, partition: str, traces: Sequence[pd.DataFrame], study: Study, layout: Layout
) -> _Part:
    """Return the predictions of every member, and gold at their times."""
    names = list(read_rating(corpus, layout).names)
    tables = [t[t["partition"] == partition].sort_values(["video", "time_s"]) for t in traces]
    rows = tables[0][["video", "time_s"]].reset_index(drop=True)
    for table in tables[1:]:
        if not table[["video", "time_s"]].reset_index(drop=True).equals(rows):
            raise BundleError(
                f"{corpus}: the runs predict different {partition} rows. Train them on the same "
                f"features: run `snakemake all`."
            )
    members = np.stack([table[names].to_numpy(float) for table in tables])
    gold = np.full((len(rows), len(names)), np.nan)
    videos = list(dict.fromkeys(rows["video"]))
    late_s = _delays(corpus, names, layout)
    listed = read_table(layout.gold(corpus), filters=[("video", "in", videos)]) if videos else None
    rated = {} if listed is None else dict(list(listed.groupby("video")))
    for video, at in rows.groupby("video").indices.items():
        if video in rated:
            ratings = rated[video].sort_values("time_s")
            times_s = ratings["time_s"].to_numpy(float), ratings[names].to_numpy(float)
            gold[at] = on_grid(rows["time_s"].to_numpy()[at], *times_s, late_s)
    subject = dict(zip(videos, units.subjects(corpus, videos, layout), strict=True))
    people = rows["video"].map(subject).to_numpy(str) if videos else np.empty(0, str)
    return _Part(members, gold, rows["video"].to_numpy(str), people)


def _delays(corpus: str, names: Sequence[str], layout: Layout) -> dict[str, float]:
    import json

    late_s = json.loads(layout.card(corpus).read_text())["delay_s"]
    return {name: float(late_s.get(name, 0.0)) for name in names}


def _score(name: str, part: _Part, targets: Sequence[str], study: Study) -> Score | None:
    """Return the CCC of the mean over members, with an interval over people."""
    middle = part.members.mean(0)
    videos = list(dict.fromkeys(part.video))
    sums = np.zeros((len(targets), len(videos), 6))
    for number, video in enumerate(videos):
        at = part.video == video
        for index in range(len(targets)):
            sums[index, number] = video_sums(middle[at, index], part.gold[at, index])
    rated = sums[..., 0].sum(0) > 0
    sums = sums[:, rated]
    if not rated.any():
        return None
    subjects = [
        part.subject[part.video == v][0] for v, kept in zip(videos, rated, strict=True) if kept
    ]
    statistics = study.statistics
    unit = units.numbers(subjects, statistics)
    weight = inference.draw(len(subjects), statistics.draws, statistics.seed, unit)
    drawn = target_scores(sums[None], weight, PROTOCOL)[0]
    ends = inference.interval_of_targets(drawn, sums[None], PROTOCOL, statistics.alpha, unit)
    point = target_scores(sums[None], np.ones((1, len(subjects))), PROTOCOL)[0][:, 0]
    keys = (*targets, MEAN)
    finite = {
        k: (lo, hi) for k, lo, hi in zip(keys, *ends, strict=True) if np.isfinite([lo, hi]).all()
    }
    return Score(
        partition=name,
        protocol=PROTOCOL,
        ccc=dict(zip(keys, map(float, point), strict=True)),
        low={key: float(low) for key, (low, _) in finite.items()},
        high={key: float(high) for key, (_, high) in finite.items()},
    )
