"""Intervals hold gold as often as they say, for people who are in no part of their calibration."""

import numpy as np
import pytest

from avfusion.prediction.calibrate import Rated, calibrate, coverage, ends
from avfusion.prediction.document import Interval


def people(rng, count, rows, members=4, spread=0.3, shared=0.2, own=0.15):
    """Gold and predictions whose error has a part per person, per row and per member."""
    gold = rng.uniform(-0.8, 0.8, (count, rows))
    error = shared * rng.standard_normal((count, 1)) + spread * rng.standard_normal((count, rows))
    noise = own * rng.standard_normal((members, count, rows))
    predicted = gold + error + noise
    person = np.repeat(np.arange(count), rows)
    return Rated(predicted.reshape(members, -1), gold.ravel(), person)


@pytest.mark.parametrize("members", [1, 2, 6])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_hold_for_new_people(members, level):
    rng = np.random.default_rng(members)
    shares = []
    for _ in range(30):
        interval = calibrate(people(rng, 20, 40, members), level)
        shares.append(coverage(people(rng, 60, 40, members), interval, -9, 9))
    assert np.mean(shares) == pytest.approx(level, abs=0.025)


def test_people_with_more_rows_count_the_same():
    rng = np.random.default_rng(0)
    few, many = people(rng, 10, 5), people(rng, 1, 5000, shared=3)
    both = Rated(
        np.concatenate([few.members, many.members], 1),
        np.concatenate([few.gold, many.gold]),
        np.concatenate([few.person, many.person + 10]),
    )
    assert both.weights.sum() == pytest.approx(1)
    for person in range(11):
        assert both.weights[both.person == person].sum() == pytest.approx(1 / 11)


def test_where_members_disagree_the_interval_is_wider():
    interval = Interval(factor=2.0, floor=0.1)
    low, high = ends(np.array([[0.0, -0.4], [0.0, 0.4]]), interval, -9, 9)
    assert high[0] - low[0] == pytest.approx(0.4)
    assert high[1] - low[1] == pytest.approx(4 * np.sqrt(0.32 + 0.01))


def test_an_interval_stays_on_the_scale_and_holds_its_prediction():
    interval = Interval(factor=3.0, floor=0.5)
    low, high = ends(np.array([[-1.2, 0.0, 0.9, 1.3]]), interval, -1, 1)
    assert low.tolist() == pytest.approx([-1.2, -1, -0.6, -0.2])
    assert high.tolist() == pytest.approx([0.3, 1, 1, 1.3])


def test_members_without_error_have_a_narrow_interval_and_no_division_by_zero():
    rated = Rated(np.zeros((3, 50)), np.zeros(50), np.arange(50) // 10)
    interval = calibrate(rated)
    low, high = ends(rated.members, interval, -1, 1)
    assert np.isfinite([interval.factor, interval.floor]).all()
    assert np.all(high - low < 1e-6)
    assert coverage(rated, interval, -1, 1) == 1
