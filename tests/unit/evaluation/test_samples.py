"""Tests of claims: seldom wrong where nothing is planted; p and interval agree."""

import numpy as np
import pytest

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation.samples import Samples, balanced, contrast
from avfusion.literature.check_claims import verdict
from avfusion.literature.findings import Tests, better, equivalent, rising
from avfusion.metrics.sums import video_sums
from support.scored_sums import scored_sums

ALPHA = 0.05


def sums(rng: np.random.Generator, videos: int, error: float, seeds: int = 1) -> np.ndarray:
    """Sums (S, 2, V, 6) of a fusion with errors of that size for each training."""
    gold = rng.normal(0, 1, (2, videos, 30))
    each = []
    for _ in range(seeds):
        wrong = gold + rng.normal(0, error, (2, videos, 1)) + rng.normal(0, 0.3, gold.shape)
        each.append(
            [[video_sums(*v) for v in zip(*d, strict=True)] for d in zip(wrong, gold, strict=True)]
        )
    return np.array(each)


def paired(each: dict[str, np.ndarray], unit=None, draws=400) -> Tests:
    scored = scored_sums(each, unit)
    samples = Samples(scored, StatisticsSettings(draws=draws))
    return Tests(samples, samples.grid(list(each)), 1)


def word(finding) -> str:
    return verdict(finding, finding.p, np.nan, ALPHA)


def test_equal_fusions_are_seldom_told_apart():
    """Over 150 corpora in which nothing is planted, wrong verdicts stay near alpha."""
    rng = np.random.default_rng(3)
    wrong = []
    for _ in range(150):
        pair = paired({name: sums(rng, 12, 0.5) for name in "abc"})
        findings = [better(["a", "b"], pair), better(["a", "b", "c"], pair)]
        wrong.append([word(finding) != "undecided" for finding in findings])
    assert np.mean(wrong, axis=0).max() < 0.1


def test_equal_by_p_lies_within_the_margin_and_beyond_it_is_contradicted():
    rng = np.random.default_rng(5)
    one = sums(rng, 60, 0.3)
    pair = paired({"a": one, "b": one, "c": sums(rng, 60, 3.0)}, draws=2000)
    same, other = (equivalent(["a", name], pair, 0.05) for name in "bc")
    assert word(same) == "supported"
    assert word(other) == "contradicted"
    assert other.low > 0.05
    wide = equivalent(["a", "c"], pair, other.effect + 0.001)
    assert word(wide) == "undecided"


@pytest.mark.parametrize(
    ("errors", "expected"), [((1.0, 0.5, 0.1), "supported"), ((1.0, 0.1, 0.5), "undecided")]
)
def test_a_row_that_surely_falls_at_a_step_does_not_rise(errors, expected):
    rng = np.random.default_rng(2)
    pair = paired({n: sums(rng, 40, e) for n, e in zip("abc", errors, strict=True)})
    finding = rising(list("abc"), pair)
    assert finding.low > 0
    assert word(finding) == expected


def test_the_slope_of_two_is_their_difference():
    rng = np.random.default_rng(1)
    pair = paired({"a": sums(rng, 10, 0.6), "b": sums(rng, 10, 0.3)}, draws=2000)
    slope, gap = pair.slope(["a", "b"]), pair.difference("b", "a")
    assert [slope.value, slope.low, slope.high] == pytest.approx([gap.value, gap.low, gap.high])
    assert slope.p == pytest.approx(gap.p)


def test_a_gain_below_the_published_one_is_said_to_be_smaller():
    rng = np.random.default_rng(7)
    gold = sums(rng, 60, 0.3)
    pair = paired({"a": gold, "b": gold}, draws=2000)
    finding = better(["a", "b"], pair, published=0.1)
    assert verdict(finding, finding.p, finding.p_smaller, ALPHA) == "smaller than published"
    assert np.isnan(better(["a", "b"], pair).p_smaller)


@pytest.mark.parametrize("unit", [None, np.arange(6)])
def test_each_video_its_own_unit_is_no_unit_at_all(unit):
    rng = np.random.default_rng(2)
    pair = {name: sums(rng, 6, 0.5) for name in "ab"}
    gap, plain = (paired(pair, u).difference("a", "b") for u in (unit, None))
    assert (gap.value, gap.low, gap.high, gap.p) == (plain.value, plain.low, plain.high, plain.p)


def test_copies_of_a_persons_video_make_nothing_surer():
    """Ten copies of each video are no more evidence: interval and p stay those of one."""
    rng = np.random.default_rng(4)
    one = {name: sums(rng, 8, error) for name, error in (("a", 0.2), ("b", 0.5))}
    copies = {name: np.repeat(each, 10, axis=2) for name, each in one.items()}
    plain = paired(one).difference("a", "b")
    person = paired(copies, np.repeat(np.arange(8), 10)).difference("a", "b")
    blind = paired(copies).difference("a", "b")
    assert (person.low, person.high, person.p) == pytest.approx((plain.low, plain.high, plain.p))
    assert blind.high - blind.low < 0.6 * (plain.high - plain.low)


def test_trainings_are_cut_to_equally_many_per_fit():
    fits = {0: 0, 1: 4, 2: 0, 3: 4, 4: 0, 5: 4}
    assert balanced([0, 1, 2, 4], fits) == ((0,), (1,))
    assert balanced([0, 2], fits) == ((0, 2),)
    assert balanced([], fits) == ()
    rng = np.random.default_rng(0)
    each = {"a": sums(rng, 6, 0.3, seeds=4), "b": sums(rng, 6, 0.3, seeds=2)}
    scored = scored_sums(each, fits={0: 0, 1: 1, 2: 0, 3: 1})
    samples = Samples(scored, StatisticsSettings(draws=100))
    assert samples.grid(["a"]) == ((0, 2), (1, 3))
    assert samples.grid(["a", "b"]) == ((0,), (1,))
    assert samples.pair("a", "absent") is None


def test_a_contrast_of_samples_is_that_of_their_scores():
    rng = np.random.default_rng(0)
    scored = scored_sums({name: sums(rng, 6, 0.3, seeds=3) for name in "ab"})
    samples = Samples(scored, StatisticsSettings(draws=50))
    a, b = samples.pair("a", "b")
    both = contrast([a, b], [2.0, -1.0])
    assert both.value == pytest.approx(2 * a.value - b.value)
    assert both.draws == pytest.approx(2 * a.draws - b.draws)
    assert both.parts.unit.mean(axis=-1) == pytest.approx(both.parts.score)
