"""Statistics: sums give the metric, intervals cover, tests hold their level, order is no matter."""

import audmetric
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from avfusion.evaluation import inference, significance
from avfusion.metrics.concordance import ccc
from avfusion.metrics.sums import (
    class_sums,
    point,
    pooled_ccc,
    target_scores,
    video_sums,
    weighted_score,
)

VALUES = st.floats(-1, 1).map(lambda x: round(x, 3))


def corpus(rng, videos: int, frames: int = 60, error: float = 0.15, fusions: int = 1):
    """Sums (fusions, V, 6) of equally good fusions on the same random videos."""
    gold = rng.normal(0, 0.25, (videos, 1)) + rng.normal(0, 0.2, (videos, frames))
    both = []
    for _ in range(fusions):
        wrong = rng.normal(0, error, (videos, 1)) + rng.normal(0, error, (videos, frames))
        both.append([video_sums(p, g) for p, g in zip(0.8 * gold + wrong, gold, strict=True)])
    return np.array(both)


def as_fusion(sums: np.ndarray) -> np.ndarray:
    """(V, 6) as one seed with the same sums in both dimensions: (1, 2, V, 6)."""
    return np.stack([sums, sums])[None]


@given(st.data())
def test_pooled_ccc_of_sums_is_the_ccc_of_all_frames(data):
    lengths = data.draw(st.lists(st.integers(2, 12), min_size=1, max_size=5))
    videos = [data.draw(arrays(float, (2, n), elements=VALUES)) for n in lengths]
    both = np.concatenate(videos, axis=1)
    expected = audmetric.concordance_cc(both[1], both[0])
    if np.ptp(both) == 0:
        expected = np.nan  # the same constant on both sides, whatever rounding makes of it
    sums = sum(video_sums(p, g) for p, g in videos)
    assert float(pooled_ccc(sums)) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_training_and_scoring_speak_of_the_same_ccc():
    rng = np.random.default_rng(0)
    p, g = rng.normal(size=(2, 500))
    ours = float(pooled_ccc(video_sums(p, g)))
    assert ccc(torch.tensor(p), torch.tensor(g)).item() == pytest.approx(ours, abs=1e-12)


def test_unrated_frames_leave_no_trace_in_the_sums():
    p, g = np.array([0.1, 9.0, 0.3]), np.array([0.2, np.nan, 0.1])
    assert video_sums(p, g).tolist() == video_sums(p[[0, 2]], g[[0, 2]]).tolist()
    assert np.isnan(pooled_ccc(video_sums(p[[1]], g[[1]])))


def test_a_weight_is_how_often_a_video_occurs():
    sums = corpus(np.random.default_rng(0), 4)[0]
    weight = np.array([[2.0, 0, 1, 0]])
    repeated = sums[[0, 0, 2]]
    for pooling in ("pooled", "per_video_mean"):
        score = weighted_score(sums, weight, pooling)[0]
        assert score == pytest.approx(weighted_score(repeated, np.ones((1, 3)), pooling)[0])


def test_the_per_video_mean_leaves_out_videos_without_a_ccc():
    sums = corpus(np.random.default_rng(0), 3)[0]
    hollow = np.concatenate([sums, np.zeros((1, 6))])
    mean = pooled_ccc(sums).mean()
    assert weighted_score(hollow, np.ones((1, 4)), "per_video_mean")[0] == pytest.approx(mean)


def test_the_mean_target_is_the_mean_of_both_cccs():
    a, b = corpus(np.random.default_rng(0), 5, fusions=2)
    valence, arousal, mean = point(np.stack([a, b])[None], "pooled")[0]
    assert mean == pytest.approx((valence + arousal) / 2)
    assert valence == pytest.approx(float(pooled_ccc(a.sum(axis=0))))


def test_draws_resample_as_many_videos_and_repeat_with_their_seed():
    weight = inference.draw(7, 50, seed=3)
    assert (weight.sum(axis=1) == 7).all()
    assert (weight == inference.draw(7, 50, seed=3)).all()
    assert (weight != inference.draw(7, 50, seed=4)).any()


@pytest.mark.parametrize("videos", [8, 20])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(videos):
    """On simulated corpora; the truth is the score of a corpus of 20,000 videos."""
    rng = np.random.default_rng(5)
    truth = pooled_ccc(corpus(rng, 20_000)[0].sum(axis=0))
    weight, hits, plain = inference.draw(videos, 500, seed=1), 0, 0
    for _ in range(400):
        samples = weighted_score(corpus(rng, videos)[0], weight, "pooled")
        low, high = inference.interval(samples, videos, alpha=0.05)
        hits += low <= truth <= high
        low, high = np.quantile(samples, [0.025, 0.975])
        plain += low <= truth <= high
    assert 0.86 < hits / 400 < 0.98
    assert hits > plain, "the expansion is there because plain percentiles cover too rarely"


def test_one_video_gives_no_interval():
    assert np.isnan(inference.interval(np.ones(10), videos=1, alpha=0.05)).all()


def test_a_rare_class_has_an_interval_from_the_draws_that_hold_it_and_a_single_video_none():
    """Classes of 20, 3 and 1 of 24 videos: many draws hold none of the last two."""
    label = np.repeat([0, 1, 2], [20, 3, 1])
    predicted = np.where(np.arange(24) % 3 == 0, (label + 1) % 3, label)
    sums = class_sums(label, predicted, 3)[None]  # (1, K, V, 3)
    weight = inference.draw(24, draws=2000, seed=0)
    samples = target_scores(sums, weight, "recall")[0]
    assert np.isnan(samples[1:3]).any(axis=1).all()
    low, high = inference.interval_of_targets(samples, sums, "recall", alpha=0.05)
    recall = point(sums, "recall")[0]
    assert (low[[0, 1, 3]] < recall[[0, 1, 3]]).all()
    assert (recall[[0, 1, 3]] < high[[0, 1, 3]]).all()
    assert high[1] - low[1] > high[0] - low[0]
    assert np.isnan([low[2], high[2]]).all()


def test_a_draw_without_a_score_makes_the_interval_unknown():
    assert np.isnan(inference.interval(np.array([0.1, np.nan, 0.2]), videos=3, alpha=0.05)).all()


@pytest.mark.parametrize("pooling", ["pooled", "per_video_mean"])
def test_the_order_of_videos_changes_no_score(pooling):
    a = corpus(np.random.default_rng(6), 9)[0]
    order = np.random.default_rng(0).permutation(9)
    assert point(as_fusion(a), pooling) == pytest.approx(point(as_fusion(a[order]), pooling))


@given(arrays(float, st.integers(1, 12), elements=st.floats(0, 1)))
def test_holm_is_the_largest_of_the_steps_before(p):
    """Restated from the definition: p_(i) corrected = max over j <= i of (K - j + 1) p_(j)."""
    order = np.argsort(p, kind="stable")
    expected = np.empty(len(p))
    for rank, place in enumerate(order):
        steps = [(len(p) - j) * p[order[j]] for j in range(rank + 1)]
        expected[place] = min(1.0, max(steps))
    corrected = significance.holm(p)
    assert corrected == pytest.approx(expected)
    assert (corrected >= p).all()


def test_a_pair_that_was_not_compared_is_no_member_of_the_family():
    corrected = significance.holm(np.array([0.01, np.nan, 0.02]))
    assert corrected[[0, 2]] == pytest.approx([0.02, 0.02])
    assert np.isnan(corrected[1])
