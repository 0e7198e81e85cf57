"""Test UA, WA and macro F1 with intervals over people and trainings."""

import numpy as np
import pytest
from scipy.special import stdtrit

from avfusion.config.study import Study
from avfusion.evaluation.estimates import estimates
from avfusion.evaluation.score_classes import RULE
from avfusion.evaluation.scored import Scored
from avfusion.metrics.sums import MEAN, class_sums
from avfusion.report.tables.classes import measures

NAMES = ("anger", "sad")
VIDEOS = 120
STUDY = Study(
    corpora={"acts": {"root": "data/acts", "task": "classes"}},
    fusions={"jca": {}},
    seeds=list(range(6)),
    encoder_seeds=[0, 1, 2],
    statistics={"draws": 20_000},
)


def scored(hit: np.ndarray, fits: dict[int, int]) -> Scored:
    """Runs that are right where `hit` (S, V) is true; every video is of another person."""
    label = np.arange(VIDEOS) % 2
    sums = {
        seed: class_sums(label, np.where(right, label, 1 - label), 2)
        for seed, right in enumerate(hit)
    }
    videos = [f"v{i}" for i in range(VIDEOS)]
    return Scored("acts", RULE, "test", videos, [], [], {}, {"jca": sums}, NAMES, fits=fits)


def measured(hit, fits=None):
    one = scored(np.asarray(hit), fits or {})
    return measures(one, ["jca"], STUDY).set_index("measure")


def half(row) -> float:
    return (row["high"] - row["low"]) / 2


def correct(chances: list[float], seed: int = 0) -> np.ndarray:
    """Which videos the run of each seed predicts correctly, (S, V)."""
    rng = np.random.default_rng(seed)
    hard = rng.random(VIDEOS)  # some videos are harder in all runs
    noise = rng.normal(0, 0.15, (len(chances), VIDEOS))
    return hard + noise < np.array(chances)[:, None]


def test_the_interval_of_one_training_is_that_of_a_share_of_people():
    hit = correct([0.7])
    row, share = measured(hit).loc["wa"], hit.mean()
    standard = np.sqrt(share * (1 - share) / (VIDEOS - 1))
    assert row["mean"] == pytest.approx(share)
    assert half(row) == pytest.approx(-stdtrit(VIDEOS - 1, 0.025) * standard, rel=0.03)


@pytest.mark.parametrize("chances", [[0.5, 0.6, 0.7, 0.8, 0.55, 0.65], [0.7] * 6])
def test_the_interval_of_weighted_accuracy_is_that_of_the_components_computed_directly(chances):
    """WA is a mean over videos, so mean squares of fits x seeds x videos give its variance."""
    hit, fits = correct(chances), {seed: seed % 3 for seed in range(6)}
    row = measured(hit, fits).loc["wa"]
    cube = np.stack([hit[[e, e + 3]] for e in range(3)]).astype(float)  # (E, S, V)
    people = cube.mean(axis=(0, 1)).var() / (VIDEOS - 1)
    squares = mean_squares(cube.mean(axis=-1))
    twice = sum(mean_squares(x) for x in np.moveaxis(cube - cube.mean(-1, keepdims=True), -1, 0))
    added = squares - twice / (VIDEOS * (VIDEOS - 1))
    trainings = max(added[0] + added[1] - added[2], 0)
    spread = people**2 / (VIDEOS - 1)
    spread += (squares**2 / [2, 1, 2]).sum() if trainings else 0
    freedom = max((people + trainings) ** 2 / spread, 1)
    expected = -stdtrit(freedom, 0.025) * np.sqrt(people + trainings)
    assert row["mean"] == pytest.approx(hit.mean())
    assert row["sd"] == pytest.approx(hit.mean(axis=1).std(ddof=1))
    low, high = np.clip(hit.mean() + np.array([-expected, expected]), 0, 1)
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.06 * expected)


def mean_squares(table: np.ndarray) -> np.ndarray:
    """Mean squares of fits, seeds and both, divided by the number of trainings, (3,)."""
    fits, seeds = table.shape
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    both = (rest**2).sum() / (fits - 1) / (seeds - 1) / fits / seeds
    return np.array([table.mean(1).var(ddof=1) / fits, table.mean(0).var(ddof=1) / seeds, both])


def test_trainings_that_differ_widen_every_interval():
    alike = correct([0.67] * 6)
    apart = correct([0.4, 0.95, 0.65, 0.45, 0.9, 0.65])  # seeds take three fits in turn
    fits = {seed: seed % 3 for seed in range(6)}
    one, other = measured(alike, fits), measured(apart, fits)
    for name in ("wa", "ua", "f1", "recall_sad"):
        assert one.loc[name, "mean"] == pytest.approx(other.loc[name, "mean"], abs=0.03)
        assert half(other.loc[name]) > 1.5 * half(one.loc[name]), name


def test_ua_and_recalls_are_those_of_the_table_of_scores():
    one = scored(correct([0.6, 0.7, 0.8]), {})
    rows = measures(one, ["jca"], STUDY).set_index("measure")
    theirs = estimates(one, STUDY).set_index("target")
    ends = ["mean", "sd", "low", "high"]
    for measure, target in (("ua", MEAN), ("recall_anger", "anger"), ("recall_sad", "sad")):
        assert rows.loc[measure, ends].tolist() == theirs.loc[target, ends].tolist()


def test_a_fusion_without_runs_has_no_measures():
    one = scored(correct([0.6]), {})
    rows = measures(one, ["jca", "ca"], STUDY.model_copy(update={"fusions": {"jca": {}, "ca": {}}}))
    lost = rows[rows["fusion"] == "ca"]
    assert lost[["mean", "sd", "low", "high"]].isna().all(axis=None)
    assert set(lost["seeds"]) == {0}
