"""EER, minDCF and AS-norm equal independent implementations, also with tied scores."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from avfusion.metrics.verification import (
    as_norm,
    cosines,
    drawn_people,
    eer,
    eer_at_closest,
    min_dcf,
    weights_of,
)


def trials(seed: int, ties: bool, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of trials and which are of one person; with ties, a third are equal."""
    rng = np.random.default_rng(seed)
    same = rng.random(count) < 0.3
    scores = rng.normal(size=count) + rng.uniform(-0.5, 3) * same
    return (np.round(scores, 1) if ties else scores), same


def plain_points(scores: np.ndarray, same: np.ndarray) -> list[tuple[float, float]]:
    """Return misses and alarms by counting at every threshold."""
    points = []
    for threshold in [-np.inf, *sorted(set(scores.tolist()))]:
        accepted = scores > threshold
        points.append((float((~accepted)[same].mean()), float(accepted[~same].mean())))
    return points


def plain_eer(scores: np.ndarray, same: np.ndarray) -> float:
    """Return the crossing of the line through the points with equal errors."""
    points = plain_points(scores, same)
    for (m0, a0), (m1, a1) in pairwise(points):
        if m0 <= a0 and m1 >= a1:
            share = (a0 - m0) / ((m1 - m0) + (a0 - a1))
            return m0 + share * (m1 - m0)
    raise AssertionError("no crossing")


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_eer_equals_counting_and_the_roc_curve(seed, ties):
    """Three ways to the EER agree to 1e-9."""
    scores, same = trials(seed, ties)
    alarms, accepted, _ = roc_curve(same, scores)
    gap = 1 - accepted - alarms
    after = int(np.flatnonzero(gap <= 0)[0])
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    crossed = alarms[after - 1] + share * (alarms[after] - alarms[after - 1])
    found = float(eer(scores, same))
    assert found == pytest.approx(plain_eer(scores, same), abs=1e-9)
    assert found == pytest.approx(crossed, abs=1e-9)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("prior", [0.05, 0.01, 0.5])
@pytest.mark.parametrize("seed", range(6))
def test_min_dcf_equals_counting_at_every_threshold(seed, prior, ties):
    """The least cost over all thresholds, as counted, agrees to 1e-9."""
    scores, same = trials(seed, ties)
    costs = [prior * m + (1 - prior) * a for m, a in plain_points(scores, same)]
    expected = min(costs) / min(prior, 1 - prior)
    assert float(min_dcf(scores, same, prior)) == pytest.approx(expected, abs=1e-9)


def test_the_order_of_tied_trials_changes_nothing():
    """Shuffled trials have the same errors to the last bit."""
    scores, same = trials(3, ties=True)
    order = np.random.default_rng(0).permutation(len(scores))
    assert eer(scores, same) == eer(scores[order], same[order])
    assert min_dcf(scores, same, 0.01) == min_dcf(scores[order], same[order], 0.01)


def test_ends_of_the_scale():
    """Perfect scores have no error, constant ones half, and reversed ones all."""
    same = np.array([True, True, False, False])
    assert float(eer(np.array([4.0, 3.0, 2.0, 1.0]), same)) == 0
    assert float(min_dcf(np.array([4.0, 3.0, 2.0, 1.0]), same, 0.05)) == 0
    assert float(eer(np.zeros(4), same)) == 0.5
    assert float(min_dcf(np.zeros(4), same, 0.05)) == 1
    assert float(eer(np.array([1.0, 2.0, 3.0, 4.0]), same)) == 1


def test_one_kind_of_trial_has_no_eer():
    """Without trials of two people there is no false alarm, so no EER."""
    assert np.isnan(eer(np.array([1.0, 2.0]), np.array([True, True])))


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_repeated_trials(seed):
    """A trial of weight k counts as k trials."""
    scores, same = trials(seed, ties=True, count=60)
    weights = np.random.default_rng(seed).integers(0, 4, (3, 60)).astype(float)
    for row in weights:
        many = np.repeat(np.arange(60), row.astype(int))
        expected = float(eer(scores[many], same[many]))
        assert float(eer(scores, same, row)) == pytest.approx(expected, abs=1e-12)
    assert eer(scores, same, weights).shape == (3,)


@pytest.mark.parametrize("seed", range(6))
def test_the_closest_point_is_no_less_than_the_eer(seed):
    """The published rule takes the greater of both errors at one threshold."""
    scores, same = trials(seed, ties=True)
    assert eer_at_closest(scores, same) >= float(eer(scores, same)) - 1e-12


@pytest.mark.parametrize("top", [2, 5, 50])
def test_as_norm_equals_a_plain_loop(top):
    """Sorting the cohort of each side of each trial gives the same numbers."""
    rng = np.random.default_rng(1)
    cohort = rng.normal(size=(20, 30))
    first, second = rng.integers(0, 20, (2, 100))
    scores = rng.normal(size=100)
    expected = []
    for score, a, b in zip(scores, first, second, strict=True):
        parts = []
        for side in (a, b):
            best = sorted(cohort[side].tolist(), reverse=True)[:top]
            mean = sum(best) / len(best)
            deviation = (sum((x - mean) ** 2 for x in best) / len(best)) ** 0.5
            parts.append((score - mean) / deviation)
        expected.append(sum(parts) / 2)
    np.testing.assert_allclose(as_norm(scores, first, second, cohort, top), expected, atol=1e-9)


def test_trials_weigh_as_often_as_their_people_are_drawn():
    """Both sides of a trial of two people vary, and a trial of one person counts once per draw."""
    first, second = np.array([0, 0, 1]), np.array([0, 1, 2])
    counts = np.array([[2.0, 3.0, 0.0]])
    assert weights_of(counts, first, second).tolist() == [[2, 6, 0]]
    np.testing.assert_array_equal(drawn_people(3, 4, seed=5), drawn_people(3, 4, seed=5))
    assert (drawn_people(7, 20, 0).sum(1) == 7).all()


def test_as_norm_of_one_person_has_no_value():
    """One score has no deviation, and a quotient by 0 is no score."""
    cohort = np.array([[0.0, 2.0], [1.0, 3.0]])
    found = as_norm(np.array([4.0, 2.0]), np.array([0, 0]), np.array([1, 0]), cohort, 1)
    assert np.isnan(found).all()


def test_cosines_of_many_pairs_are_those_of_each():
    """Also over the border of a part."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 3))
    first, second = rng.integers(0, 50, (2, 100_003))
    np.testing.assert_allclose(cosines(rows, first, second), (rows @ rows.T)[first, second])
