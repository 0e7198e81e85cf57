"""Batches of an epoch: shuffled ones of nearly one size, or consecutive windows of videos."""

from itertools import chain

import numpy as np
import pytest
import torch

from avfusion.config.training import TrainSettings
from avfusion.errors import TrainError
from avfusion.features.windows import join
from avfusion.training.batches import Batches, divide


def parts(count: int, seed: int = 0, **train) -> list[list[int]]:
    examples = torch.arange(count) + 100
    draw = torch.Generator().manual_seed(seed)
    return [p.tolist() for p in divide(examples, TrainSettings(**train), draw, "windows")]


def test_shuffled_batches_hold_each_example_once_and_differ_in_size_by_one():
    found = parts(70, batch=32)
    assert sorted(map(len, found)) == [23, 23, 24]
    joined = [example for part in found for example in part]
    assert sorted(joined) == list(range(100, 170))
    assert joined != sorted(joined)
    assert found != parts(70, seed=1, batch=32)


def test_consecutive_batches_are_in_order_and_of_the_size_asked_for():
    found = parts(70, batch=32, order="consecutive")
    assert list(map(len, found)) == [32, 32, 6]
    assert list(chain(*found)) == list(range(100, 170))
    assert found == parts(70, seed=1, batch=32, order="consecutive")


@pytest.mark.parametrize("order", ["shuffled", "consecutive"])
def test_the_incomplete_batch_is_left_out_if_asked_for(order):
    assert list(map(len, parts(70, batch=32, order=order, drop_last=True))) == [32, 32]
    assert list(map(len, parts(64, batch=32, order=order, drop_last=True))) == [32, 32]


def test_shuffled_batches_leave_out_other_examples_in_each_epoch():
    left = [
        set(range(100, 170)) - set(chain(*parts(70, s, batch=32, drop_last=True))) for s in (0, 1)
    ]
    assert left[0] != left[1]
    assert {len(some) for some in left} == {6}


@pytest.mark.parametrize("order", ["shuffled", "consecutive"])
def test_no_complete_batch_is_an_error_with_the_numbers(order):
    match = r"train\.drop_last: 12 train windows are no complete batch of 32\. .* at most 12"
    with pytest.raises(TrainError, match=match):
        parts(12, batch=32, order=order, drop_last=True)
    assert parts(0, batch=32, order=order) == []


def test_batches_are_loaded_one_by_one():
    loaded = []
    batches = Batches([torch.tensor([0, 1]), torch.tensor([2])], lambda which: loaded.append(which))
    assert len(batches) == 2
    next(iter(batches))
    assert [which.tolist() for which in loaded] == [[0, 1]]


def test_a_batch_of_tbiom_is_1024_consecutive_rows_of_one_video():
    """Windows of 16 clips of 32 frames, one clip per frame: 32 windows cover 512 rows."""
    lengths = [2048, 3072, 1024]
    number = np.concatenate([np.full(rows, v) for v, rows in enumerate(lengths)])
    videos = (
        (np.zeros((rows, 1), np.float32),) * 2 + (np.zeros((rows, 2), np.float32),)
        for rows in lengths
    )
    windows = join(videos, clips=16, stride=32, last="dropped")
    train = TrainSettings(batch=64, order="consecutive")
    batches = divide(windows.rated(), train, torch.Generator(), "windows")
    assert len(batches) == sum(lengths) // 1024
    for k, which in enumerate(batches):
        rows = windows.rows[which][windows.used[which]].sort().values
        assert rows.tolist() == list(range(1024 * k, 1024 * (k + 1)))
        assert len(set(number[rows])) == 1
