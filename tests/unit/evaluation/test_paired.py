"""Paired statistics of claims: seldom wrong where nothing is planted; p and interval agree."""

import numpy as np
import pytest

from avfusion.evaluation import inference
from avfusion.evaluation.paired import Resampling, difference, margin_p, trend
from avfusion.literature.check_claims import verdict
from avfusion.literature.findings import better, rising
from avfusion.metrics.sums import video_sums


def sums(rng: np.random.Generator, videos: int, error: float) -> np.ndarray:
    """Sums (1, 2, V, 6) of a fusion with video-wide errors of that size."""
    gold = rng.normal(0, 1, (2, videos, 30))
    wrong = gold + rng.normal(0, error, (2, videos, 1)) + rng.normal(0, 0.3, gold.shape)
    each = [
        [video_sums(p, g) for p, g in zip(*d, strict=True)] for d in zip(wrong, gold, strict=True)
    ]
    return np.array(each)[None]


def test_equal_fusions_are_seldom_told_apart():
    """Over 150 corpora in which nothing is planted, wrong verdicts stay near alpha."""
    rng = np.random.default_rng(3)
    how = Resampling("pooled", 400, 0.05, 0)
    wrong = []
    for _ in range(150):
        each = {name: sums(rng, 12, 0.5) for name in "abc"}
        findings = [better(["a", "b"], each, how), better(["a", "b", "c"], each, how)]
        wrong.append([verdict(f, f.p, how.alpha) != "undecided" for f in findings])
    assert np.mean(wrong, axis=0).max() < 0.1


def test_a_difference_at_the_margin_is_seldom_called_equal():
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.02, 1000)
    values = 0.05 + rng.normal(0, 0.02, 400)
    wrong = [margin_p(v + noise, v, 20, 0.05) <= 0.05 for v in values if v < 0.05]
    assert sum(wrong) / 400 < 0.06


@pytest.mark.parametrize("videos", [4, 12, 60])
def test_equal_by_p_is_equal_by_interval(videos):
    """p <= alpha where the interval of level 1 - 2 alpha lies within the margin."""
    rng = np.random.default_rng(videos)
    for size in np.linspace(0.01, 0.05, 30):
        samples = rng.normal(0.005, size, 20_000)
        p = margin_p(samples, 0.005, videos, 0.05)
        low, high = inference.interval(samples, videos, 0.1)
        if abs(p - 0.05) > 0.002:
            assert (p <= 0.05) == (low > -0.05 and high < 0.05)


@pytest.mark.parametrize(
    ("errors", "expected"), [((1.0, 0.5, 0.1), "supported"), ((1.0, 0.1, 0.5), "undecided")]
)
def test_a_row_that_surely_falls_at_a_step_does_not_rise(errors, expected):
    rng, how = np.random.default_rng(2), Resampling("pooled", 400, 0.05, 0)
    finding = rising(
        list("abc"), {n: sums(rng, 40, e) for n, e in zip("abc", errors, strict=True)}, how
    )
    assert finding.low > 0
    assert verdict(finding, finding.p, how.alpha) == expected


def test_the_trend_of_two_is_their_difference():
    rng = np.random.default_rng(1)
    rows, how = [sums(rng, 10, e) for e in (0.6, 0.3)], Resampling("pooled", 2000, 0.05, 0)
    slope, gap = trend(rows, how), difference(rows[1], rows[0], how)
    assert [slope.value, slope.low, slope.high] == pytest.approx([gap.value, gap.low, gap.high])
    assert slope.p == pytest.approx(gap.p, abs=0.03)
