"""The gold standard agrees with a slow restatement of its recipe and survives odd raters."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from avfusion.corpora.goldstandard import gold_standard
from avfusion.errors import CorpusError


def slow_ccc(x, y):
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    vx = sum((a - mx) ** 2 for a in x) / n
    vy = sum((b - my) ** 2 for b in y) / n
    cov = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / n
    return 2 * cov / (vx + vy + (mx - my) ** 2)


def slow_gold(columns):
    """The recipe, step by step, for raters who all move."""
    count = len(columns)
    weights = []
    for r in range(count):
        others = [slow_ccc(columns[r], columns[s]) for s in range(count) if s != r]
        weights.append(max(0.0, sum(others) / len(others)))
    means = [sum(c) / len(c) for c in columns]
    if sum(weights) > 0:
        level = sum(w * m for w, m in zip(weights, means, strict=True)) / sum(weights)
    else:
        level = sum(means) / count
    centred = [[v - m + level for v in c] for c, m in zip(columns, means, strict=True)]
    return [sum(c[i] for c in centred) / count for i in range(len(columns[0]))], weights


grids = st.tuples(st.integers(2, 12), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-100, 100).map(lambda i: i / 100))
)


@settings(max_examples=150, deadline=None)
@given(grids.filter(lambda r: (np.ptp(r, axis=0) > 0).all()))
def test_the_gold_is_the_recipe_step_by_step(ratings):
    gold, weights = slow_gold(ratings.T.tolist())
    result = gold_standard(ratings)
    np.testing.assert_allclose(result.weights, weights, atol=1e-9)
    if sum(weights) > 1e-9 or sum(weights) == 0:  # else the level is a quotient of rounding errors
        np.testing.assert_allclose(result.gold, gold, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(grids, st.randoms(use_true_random=False))
def test_the_order_of_the_raters_does_not_matter(ratings, random):
    order = list(range(ratings.shape[1]))
    random.shuffle(order)
    there, back = gold_standard(ratings), gold_standard(ratings[:, order])
    np.testing.assert_allclose(back.weights, there.weights[order], atol=1e-9)
    if there.weights.sum() > 1e-9 or not there.weights.any():
        np.testing.assert_allclose(back.gold, there.gold, atol=1e-6)


def wave(count=200):
    return 0.6 * np.sin(np.linspace(0, 9, count))


def test_raters_who_agree_are_returned_unchanged():
    result = gold_standard(np.column_stack([wave()] * 6))
    np.testing.assert_allclose(result.gold, wave(), atol=1e-12)
    np.testing.assert_allclose(result.weights, 1)


def test_a_rater_who_never_moves_is_flagged_and_flattens_nothing():
    result = gold_standard(np.column_stack([wave(), wave(), np.full(200, 0.9)]))
    assert result.constant == (2,)
    assert result.weights[2] == 0
    np.testing.assert_allclose(result.gold, wave(), atol=1e-12)


def test_a_rater_who_contradicts_the_others_does_not_move_the_level():
    result = gold_standard(np.column_stack([wave() + 0.1, wave() + 0.1, wave(), 0.5 - wave()]))
    assert result.contrary == (3,)
    assert result.weights[3] == 0
    without = gold_standard(np.column_stack([wave() + 0.1, wave() + 0.1, wave()]))
    assert result.gold.mean() == pytest.approx(without.gold.mean(), abs=5e-3)


def test_when_nobody_moves_the_gold_is_the_mean_of_all():
    result = gold_standard(np.tile([0.1, 0.3, 0.8], (5, 1)))
    np.testing.assert_allclose(result.gold, 0.4)
    assert result.constant == (0, 1, 2)


def test_a_skipped_instant_counts_for_the_others_only():
    ratings = np.column_stack([wave(), wave(), wave()])
    ratings[10, 0] = ratings[20] = np.nan
    result = gold_standard(ratings)
    assert not math.isnan(result.gold[10])
    assert math.isnan(result.gold[20])
    assert np.isnan(result.gold).sum() == 1


@pytest.mark.parametrize("ratings", [np.zeros((5, 1)), np.zeros(5), np.zeros((1, 4))])
def test_too_few_raters_or_instants_are_refused(ratings):
    with pytest.raises(CorpusError, match="2"):
        gold_standard(ratings)
