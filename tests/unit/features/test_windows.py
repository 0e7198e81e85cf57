"""Time is cut so that every feature row is predicted exactly once, and gold meets its stimulus."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avfusion.features.gold import targets
from avfusion.features.windows import cut, join

NO_DELAY = {"valence": 0.0, "arousal": 0.0}


@given(st.integers(0, 400), st.integers(1, 20), st.integers(1, 8))
def test_each_row_is_used_exactly_once(rows, clips, stride):
    index, inside, used = cut(rows, clips, stride)
    assert sorted(index[used]) == list(range(rows))
    assert (inside | ~used).all()
    assert index.size == 0 or (index.min() >= 0 and index.max() < rows)


@given(st.integers(1, 400), st.integers(1, 20), st.integers(1, 8))
def test_steps_are_a_clip_apart_and_only_short_videos_are_filled(rows, clips, stride):
    index, inside, _ = cut(rows, clips, stride)
    both = inside[:, 1:] & inside[:, :-1]
    assert (np.diff(index, axis=1)[both] == stride).all()
    assert inside.all() or rows < clips * stride


def test_is_the_published_scheme_when_the_hop_is_a_frame():
    """T-BIOM: 16 clips of 32 frames; 32 windows a frame apart, then 481 frames on."""
    index, _, _ = cut(rows=1024, clips=16, stride=32)
    ends = index[:, -1] + 1  # frames count from 1
    assert index[0].tolist() == list(range(0, 512, 32))
    assert (ends[0], ends[31], ends[32]) == (481, 512, 993)
    assert set(np.diff(ends)) == {1, 481}


def toy(rows=(30, 3, 0, 64), width=2):
    """Videos whose first feature is the row's number over all videos."""
    first = np.cumsum([0, *rows])
    parts = []
    for start, count in zip(first, rows, strict=False):
        number = np.arange(start, start + count, dtype=np.float32)[:, None]
        gold = np.repeat(number, 2, axis=1)
        parts.append((np.repeat(number, width, axis=1), -number, gold))
    return join(iter(parts), clips=4, stride=2)


def test_predictions_return_to_their_rows():
    windows = toy()
    found = windows.predict(lambda a, v, *_: (torch.cat([a[..., :1], v], dim=-1), {}), batch=5)
    number = torch.arange(97.0)
    torch.testing.assert_close(found, torch.stack([number, -number], dim=-1))


def test_a_window_holds_one_video_only():
    windows = toy()
    video = torch.bucketize(windows.rows, torch.tensor([30, 33, 33]), right=True)
    assert (video == video[:, :1]).all()


def test_absent_rows_and_steps_past_the_end_are_marked():
    windows = toy(rows=(5,))
    windows.audio[2] = torch.nan
    batch = windows.batch(torch.tensor([0, 1]))
    assert windows.rows[0].tolist() == [0, 2, 4, 4]
    assert batch.audio_present[0].tolist() == [True, False, True, False]
    assert batch.video_present.tolist() == [[True] * 3 + [False], [True, True, False, False]]
    assert batch.gold[0, :, 0].isnan().tolist() == [False, False, False, True]


def test_a_moved_back_block_counts_no_row_twice():
    windows = toy(rows=(11,))
    gold = torch.cat([windows.batch(torch.tensor([n])).gold[0, :, 0] for n in range(len(windows))])
    assert sorted(gold[~gold.isnan()].tolist()) == list(range(11))


def test_rated_windows_are_those_with_a_rated_step():
    windows = toy(rows=(8, 8))
    windows.gold[:8] = torch.nan
    windows.gold[1, 1] = 0.5  # one dimension of one row
    assert windows.rated().tolist() == [1, 2, 3]


def test_gold_is_read_after_the_delay_of_its_dimension():
    rated_s = np.arange(0, 10, 0.04)
    ratings = np.stack([rated_s, 2 * rated_s], axis=-1)
    time_s = np.array([0.16, 1.0, 3.33])
    found = targets(time_s, rated_s, ratings, {"valence": 0.8, "arousal": 1.2})
    np.testing.assert_allclose(found[:, 0], time_s + 0.8, atol=1e-5)
    np.testing.assert_allclose(found[:, 1], 2 * (time_s + 1.2), atol=1e-5)


def test_between_an_unrated_and_a_rated_neighbour_is_unrated():
    rated_s = np.array([0.0, 1.0, 2.0, 3.0])
    ratings = np.array([[0.0, 0], [1, 1], [np.nan, 2], [3, 3]])
    asked = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.1, -0.1])
    found = targets(asked, rated_s, ratings, NO_DELAY)
    nan = np.nan
    np.testing.assert_allclose(found[:, 0], [0.5, 1, nan, nan, nan, 3, nan, nan])
    np.testing.assert_allclose(found[:, 1], [0.5, 1, 1.5, 2, 2.5, 3, nan, nan])


@pytest.mark.parametrize("hop_s", [0.04, 0.16, 0.1])
def test_rounding_of_seconds_costs_no_rating(hop_s):
    """k * hop_s and a sum of hops differ in the last bit; the rated instant is still met."""
    rated_s = np.cumsum(np.full(200, hop_s))
    ratings = np.stack([np.arange(200.0)] * 2, axis=-1)
    ratings[1::2] = np.nan
    found = targets(np.arange(1, 201) * hop_s, rated_s, ratings, NO_DELAY)
    np.testing.assert_array_equal(found, ratings.astype(np.float32))


@pytest.mark.parametrize("lost", [1, 2, 40])
def test_gold_is_not_drawn_across_missing_rows_however_many(lost):
    rated_s = np.delete(np.arange(0, 8, 0.04), np.arange(50, 50 + lost))
    ratings = np.stack([rated_s, -rated_s], axis=-1)
    asked = np.arange(0.02, 7.9, 0.02)
    found = targets(asked, rated_s, ratings, NO_DELAY)
    first, last = 49 * 0.04, (50 + lost) * 0.04
    inside = (asked > first + 1e-6) & (asked < last - 1e-6)
    assert inside.any()
    np.testing.assert_array_equal(np.isnan(found[:, 0]), inside)
    np.testing.assert_allclose(found[~inside, 1], -asked[~inside], atol=1e-5)


def test_uneven_but_whole_ratings_are_no_gaps():
    """Frames of a video are 33 or 34 ms apart when written in milliseconds."""
    rated_s = np.round(np.arange(300) / 30, 3)
    ratings = np.stack([rated_s, rated_s], axis=-1)
    asked = np.arange(0.16, 9.9, 0.16)
    assert not np.isnan(targets(asked, rated_s, ratings, NO_DELAY)).any()


def test_no_ratings_at_all():
    found = targets(np.arange(3.0), np.empty(0), np.empty((0, 2)), NO_DELAY)
    assert np.isnan(found).all()
    assert found.shape == (3, 2)
