"""Families of comparisons: what they hold, how they are corrected, and which verdicts follow."""

import numpy as np
import pytest
from scipy.stats import norm

from avfusion.errors import AvfError
from avfusion.evaluation import crossed, inference
from avfusion.evaluation.components import Variance
from avfusion.evaluation.crossed import Estimate
from avfusion.evaluation.decisions import Decision, decide, verdict
from avfusion.evaluation.families import Comparison, baselines, best, claims, pairs
from avfusion.evaluation.readings import p_equivalent, p_smaller, posterior, units_needed
from support.simulated_corpora import Plan, simulate

VALIDATION = {"audio": 0.4, "video": 0.5, "concat": 0.5, "concat_norm": 0.55, "jca": 0.9}


def estimate(value: float, deviation: float, units: int = 1000, trainings: float = 0.0) -> Estimate:
    """A difference with one target, of units with that deviation each."""
    people = np.array([deviation**2 / units])
    total = people + trainings
    freedom = total**2 / (people**2 / (units - 1) + trainings**2 / 2)
    spread = Variance(people, np.array([trainings]), freedom, np.array([float(units)]))
    one = np.array([value])
    return Estimate(one, one, one, one[:, None], spread)


def samples(gains: dict[str, float], videos: int = 40, deviation: float = 0.01, seed: int = 0):
    """Samples of fusions with these gains."""
    plan = Plan(videos, 1, deviation, tuple(gains.values()))
    weight = inference.draw(videos, 400, 0)
    drawn = simulate(plan, np.random.default_rng(seed), targets=2)
    return {n: crossed.sample(s, weight, "pooled") for n, s in zip(gains, drawn, strict=True)}


def test_baselines_are_chosen_on_validation():
    family = baselines(
        ["audio", "video", "concat", "concat_norm", "jca"],
        ["audio", "video"],
        ["concat", "concat_norm"],
        VALIDATION,
    )
    assert [(c.first, c.second) for c in family.comparisons] == [
        ("concat", "video"),
        ("concat", "concat_norm"),
        ("concat_norm", "video"),
        ("jca", "video"),
        ("jca", "concat_norm"),
    ]
    assert not family.exploratory


def test_of_equal_candidates_the_first_by_name_is_the_baseline():
    assert best(["video", "concat"], VALIDATION) == "concat"
    assert best(["video", "audio"], {"audio": np.nan, "video": 0.1}) == "video"
    with pytest.raises(AvfError, match="No validation score of text"):
        best(["text"], VALIDATION)


def _of(drawn):
    """Return the function that `decide` takes."""
    return lambda first, second: (drawn[first], drawn[second])


def test_all_pairs_are_exploratory():
    family = pairs([f"f{i}" for i in range(35)])
    assert len(family.comparisons) == 595
    assert family.exploratory
    assert len(pairs(["a", "b", "c"], ["valence", "arousal"]).comparisons) == 6


@pytest.mark.parametrize(
    ("value", "ends", "corrected", "expected"),
    [
        (0.05, (0.02, 0.08), [0.01, 0.9, np.nan], "better"),
        (-0.05, (-0.08, -0.02), [0.01, 0.9, np.nan], "worse"),
        (0.05, (-0.01, 0.08), [0.01, 0.9, np.nan], "undecided"),  # the interval holds 0
        (0.01, (0.005, 0.015), [0.01, 0.02, np.nan], "equivalent"),
        (0.01, (-0.02, 0.04), [0.5, 0.2, 0.02], "smaller than published"),
        (0.04, (0.02, 0.06), [0.01, 0.9, 0.02], "better"),
        (0.01, (-0.02, 0.04), [0.5, 0.2, 0.4], "undecided"),
    ],
)
def test_verdicts(value, ends, corrected, expected):
    assert verdict(value, ends, np.array(corrected), 0.05) == expected


def test_a_good_fusion_is_significant_in_a_family_of_595():
    """The tail of Student's t goes below 1 / draws, so p is below 0.001 after correction."""
    drawn = samples({"good": 0.95, "f1": 0.1, "f2": 0.1}, videos=76)
    family = claims([Comparison("good", other) for other in ("f1", "f2")])
    results = decide(family, _of(drawn), ("valence", "arousal", "mean"), Decision())
    assert max(r.p * 595 for r in results) < 0.001
    assert {r.verdict for r in results} == {"better"}


def test_a_family_is_corrected_by_holm_and_each_target_is_read():
    drawn = samples({"a": 0.7, "b": 0.6, "c": 0.6})
    family = pairs(["a", "b", "c"], ["valence", "mean"])
    results = decide(family, _of(drawn), ("valence", "arousal", "mean"), Decision())
    assert [r.comparison for r in results] == list(family.comparisons)
    p = np.array([r.p for r in results])
    order = np.argsort(p)
    by_hand = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(6, 0, -1)))
    assert [results[i].p_holm for i in order] == pytest.approx(by_hand)
    valence = drawn["a"].value[0] - drawn["b"].value[0]
    assert results[0].value == pytest.approx(valence)
    assert all(np.isnan(r.p_smaller) for r in results)


def test_a_claim_may_be_smaller_than_published():
    drawn = samples({"a": 0.6, "b": 0.6}, videos=60, seed=1)
    family = claims([Comparison("a", "b", published=0.3)])
    result = decide(family, _of(drawn), ("valence", "arousal", "mean"), Decision())[0]
    assert result.p_smaller < 0.05
    assert result.verdict in ("smaller than published", "equivalent")


def test_an_empty_family_has_no_results():
    assert decide(claims([]), _of({}), ("mean",), Decision()) == []


def test_a_posterior_is_read_from_student_and_sums_to_one():
    one = estimate(0.02, 0.1, units=100)  # standard error 0.01, margin 0.02
    read = posterior(one, 0.02)
    assert read.better == pytest.approx(0.5)
    assert read.worse + read.equal + read.better == pytest.approx(1)
    assert read.worse == pytest.approx(norm.cdf(-4), abs=2e-4)
    mirrored = posterior(estimate(-0.02, 0.1, units=100), 0.02)
    assert (mirrored.worse, mirrored.equal) == pytest.approx((read.better, read.equal))


def test_one_sided_readings_by_hand():
    one = estimate(0.0, 0.1, units=10_000)  # standard error 0.001
    assert p_equivalent(one, 0.002) == pytest.approx(norm.cdf(-2), abs=1e-4)
    assert p_smaller(one, 0.001) == pytest.approx(norm.cdf(-1), abs=1e-4)
    assert p_smaller(one, -0.001) == pytest.approx(norm.cdf(-1), abs=1e-4)
    assert np.isnan(p_smaller(one, np.nan))


@pytest.mark.parametrize(("wanted", "expected"), [(0.05, 50), (0.03, 138)])
def test_the_videos_that_the_design_note_computed(wanted, expected):
    """Per-video deviation 0.126; Student's t needs two videos more than the normal."""
    needed = units_needed(estimate(0.0, 0.126), wanted, 0.05)
    assert expected <= needed <= expected + 3


def test_a_corrected_level_needs_more_units_and_trainings_may_forbid_any():
    one = estimate(0.0, 0.126)
    assert units_needed(one, 0.05, 0.05 / 34) > 1.5 * units_needed(one, 0.05, 0.05)
    assert units_needed(estimate(0.0, 0.126, trainings=0.02**2), 0.03, 0.05) is None
    assert units_needed(one, 0.0, 0.05) is None
