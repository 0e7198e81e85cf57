"""Crossed bootstrap and exchange test: components by hand, invariances, limits."""

from functools import partial

import numpy as np
import pytest
from scipy.special import stdtr

from avfusion.evaluation import crossed, exchanged, inference
from avfusion.evaluation.components import Parts, mean_squares, parts, variance
from avfusion.metrics.sums import class_sums, pooled_ccc, target_scores
from support.simulated_corpora import Plan, simulate

PLAN = Plan(videos=12, each=2, deviation=0.05)
POOLED = partial(target_scores, pooling="pooled")
FLAT = Plan(videos=20, each=1, deviation=0.0)


def corpus(plan: Plan = PLAN, seed: int = 0) -> np.ndarray:
    return simulate(plan, np.random.default_rng(seed), targets=2)


def sample(sums: np.ndarray, unit: np.ndarray | None, pooling: str = "pooled", draws: int = 2000):
    weight = inference.draw(sums.shape[-2], draws, 0, unit)
    return crossed.sample(sums, weight, pooling, unit)


def test_contributions_to_a_mean_over_videos_are_the_scores_of_the_videos():
    sums = corpus()[0]
    split = parts(sums, partial(target_scores, pooling="per_video_mean"))
    assert split.unit[:, :, :2] == pytest.approx(pooled_ccc(sums))
    assert split.unit.mean(axis=-1) == pytest.approx(split.score)


def test_contributions_of_a_pooled_score_have_it_as_their_mean():
    split = parts(corpus()[0], POOLED, PLAN.unit)
    assert split.unit.shape == (3, 3, 3, 6)
    assert split.unit.mean(axis=-1) == pytest.approx(split.score)


def test_mean_squares_of_two_fusions_by_hand():
    """Fits are shared, so their effect cancels; seeds are not, so theirs adds."""
    fit, seed = np.array([[0.0], [4.0]]), np.array([[0.0, 2.0]])
    first, second = fit + seed, fit - seed
    assert mean_squares([first]).tolist() == [4.0, 1.0, 0.0]
    assert mean_squares([first, second]).tolist() == [0.0, 2.0, 0.0]


@pytest.mark.parametrize(("fits", "seeds"), [(1, 1), (1, 3), (3, 1)])
def test_a_source_with_one_level_adds_nothing(fits, seeds):
    squares = mean_squares([np.random.default_rng(0).normal(size=(fits, seeds))])
    assert (squares > 0).tolist() == [fits > 1, seeds > 1, False]


def test_the_interaction_of_units_and_trainings_counts_once():
    """Contributions without main effects: trainings add as much as the overlap takes away."""
    rng, sign = np.random.default_rng(0), np.array([1, 1, -1])
    people, trainings, overlap, total = [], [], [], []
    for _ in range(400):
        unit = rng.normal(size=(3, 3, 1, 10))
        split = Parts(unit.mean(axis=-1), unit)
        over_units = unit.mean(axis=(0, 1)).var(axis=-1, ddof=1) / 10
        shift = unit - unit.mean(axis=-1, keepdims=True)
        people.append(over_units)
        trainings.append(sign @ mean_squares([split.score]))
        overlap.append(sign @ mean_squares([shift]).sum(axis=-1) / 90)
        total.append(variance(split, None, over_units, np.array([10.0])).total)
    assert np.mean(people) == pytest.approx(1 / 90, rel=0.1)
    assert np.mean(overlap) == pytest.approx(1 / 90, rel=0.1)
    assert np.mean(trainings) == pytest.approx(1 / 90, rel=0.25)
    assert np.mean(total) < 1.8 / 90, "what trainings add is cut off at 0, so it is not 0"


def test_equal_trainings_leave_the_variance_over_units():
    """Of a mean over videos it is that of the videos' scores."""
    one = corpus(FLAT)[0, :1, :1]
    sums = np.broadcast_to(one, (3, 3, *one.shape[2:]))
    estimate = crossed.score(sample(sums, None, "per_video_mean", 20_000), 0.05, 0)
    each = pooled_ccc(one[0, 0])
    assert estimate.variance.trainings == pytest.approx(0, abs=1e-20)
    assert estimate.variance.freedom == pytest.approx(19)
    assert estimate.variance.people[:2] == pytest.approx(each.var(axis=1, ddof=1) / 20, rel=0.05)
    width = 2 * 2.093 * np.sqrt(each.var(axis=1, ddof=1) / 20)  # t quantile of 19
    assert (estimate.high - estimate.low)[:2] == pytest.approx(width, rel=0.1)


def test_trainings_that_differ_widen_the_interval_by_the_t_of_two():
    """No variance over units: the interval is that of three fits, t quantile of 2 being 4.303."""
    one = corpus(FLAT)[0, :1, :1, :, :1]
    sums = np.repeat(np.repeat(one, 3, axis=0), 8, axis=3)
    sums[..., 1] += np.array([-3.0, 0, 3.0])[:, None, None, None]  # prediction of each fit
    estimate = crossed.score(sample(sums, None, draws=40_000), 0.05, 0)
    fits = estimate.value - parts(sums, POOLED).score[:, 0]
    standard = fits.std(axis=0, ddof=1) / np.sqrt(3)
    assert estimate.variance.freedom == pytest.approx(2)
    assert estimate.high - estimate.low == pytest.approx(2 * 4.303 * standard, rel=0.05)


def test_nothing_depends_on_the_order_of_fits_and_seeds():
    first, second, _ = corpus()
    plain = crossed.difference(sample(first, PLAN.unit), sample(second, PLAN.unit), 0.05, 0)
    order = [2, 0, 1]
    first, second = first[order], second[order][:, [1, 2, 0]]
    again = crossed.difference(sample(first, PLAN.unit), sample(second, PLAN.unit), 0.05, 0)
    assert again.samples == pytest.approx(plain.samples)
    assert again.variance.total == pytest.approx(plain.variance.total)


def test_fits_are_paired_and_seeds_are_not():
    """The other order of fits in one fusion changes the variance of the difference."""
    first, second, _ = corpus(Plan(12, 1, 0.08))
    plain = crossed.difference(sample(first, None), sample(second, None), 0.05, 0)
    again = crossed.difference(sample(first, None), sample(second[[2, 0, 1]], None), 0.05, 0)
    assert not np.allclose(again.variance.trainings, plain.variance.trainings)


def test_nothing_depends_on_the_order_of_videos():
    order = np.random.default_rng(1).permutation(PLAN.videos)
    results = []
    for of in (slice(None), order):
        a, b = (sample(s[:, :, :, of], PLAN.unit[of]) for s in corpus()[:2])
        estimate = crossed.difference(a, b, 0.05, 0)
        p = exchanged.swap_test(a, b, estimate, 2000, 0)
        results.append([estimate.value, estimate.low, estimate.high, p])
    assert results[0] == [pytest.approx(row) for row in results[1]]


def test_the_other_sign_mirrors_a_difference_and_keeps_p():
    a, b = (sample(s, PLAN.unit, draws=5000) for s in corpus()[::2])
    there, back = (crossed.difference(*pair, 0.05, 0) for pair in ((a, b), (b, a)))
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high, abs=0.02)
    p = [
        exchanged.swap_test(*pair, one, 2000, 0) for pair, one in (((a, b), there), ((b, a), back))
    ]
    assert p[0] == pytest.approx(p[1])


def test_copies_of_the_videos_of_people_make_nothing_surer():
    sums = corpus(Plan(8, 1, 0.05))[:2]
    copies, unit = np.repeat(sums, 10, axis=4), np.repeat(np.arange(8), 10)
    plain = crossed.difference(*(sample(s, None) for s in sums), 0.05, 0)
    copied = crossed.difference(*(sample(s, unit) for s in copies), 0.05, 0)
    assert copied.low == pytest.approx(plain.low)
    assert copied.variance.total == pytest.approx(plain.variance.total)


def test_one_unit_gives_neither_interval_nor_p():
    a, b = (sample(s, np.zeros(12, int)) for s in corpus()[:2])
    estimate = crossed.difference(a, b, 0.05, 0)
    assert np.isnan([estimate.low, estimate.high]).all()
    assert np.isnan(exchanged.swap_test(a, b, estimate, 200, 0)).all()
    assert np.isnan(estimate.below(0)).all()


def test_a_rare_class_has_an_interval_from_the_draws_that_hold_it():
    label = np.repeat([0, 1, 2], [20, 3, 1])
    predicted = np.where(np.arange(24) % 3 == 0, (label + 1) % 3, label)
    estimate = crossed.score(
        sample(class_sums(label, predicted, 3)[None, None], None, "recall"), 0.05, 0
    )
    assert estimate.variance.units.tolist() == [20, 3, 1, 24]
    assert np.isfinite(estimate.low[:2]).all()
    assert np.isnan(estimate.low[2])


def test_equal_fusions_have_p_one():
    a = sample(np.broadcast_to(corpus(FLAT)[0, :1, :1], (2, 2, 2, 20, 6)), None)
    assert exchanged.swap_test(a, a, crossed.difference(a, a, 0.05, 0), 200, 0).tolist() == [1] * 3


def test_with_many_units_p_is_that_of_student():
    a, b = (sample(s, None) for s in corpus(Plan(76, 1, 0.05, (0.6, 0.6)), seed=4)[:2])
    estimate = crossed.difference(a, b, 0.05, 0)
    t = np.abs(estimate.value) / np.sqrt(estimate.variance.total)
    p = exchanged.swap_test(a, b, estimate, 10_000, 0)
    assert p == pytest.approx(2 * stdtr(estimate.variance.freedom, -t), abs=0.02)


def test_p_goes_below_what_draws_can_count():
    a, b = (sample(s, None) for s in corpus(Plan(30, 1, 0.0, (0.9, 0.2)))[:2])
    estimate = crossed.difference(a, b, 0.05, 0)
    few, many = (exchanged.swap_test(a, b, estimate, n, 0)[-1] for n in (1000, 50_000))
    assert few * 595 < 0.001
    assert np.log10(few) == pytest.approx(np.log10(many), abs=2)


@pytest.mark.parametrize(("family", "alpha"), [(1, 0.05), (34, 0.05), (34, 0.01), (595, 0.05)])
def test_draws_follow_the_family(family, alpha):
    draws = exchanged.draws_for(family, alpha)
    reached = family / (draws + 1) < min(0.001, alpha / 50)
    assert reached or draws == exchanged.MOST
