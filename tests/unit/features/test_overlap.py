"""Windows that overlap, and the last, incomplete one: each published count, and every row used."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avfusion.config.sections import WindowSettings
from avfusion.features.windows import RowMeans, cut, join, last_of

ROWS, CLIPS, STRIDES = st.integers(0, 300), st.integers(1, 12), st.integers(1, 6)


def before(rows, clips, stride):
    """The windows as they were cut before `advance` and `last` existed."""
    block = clips * stride
    starts = np.arange(0, rows, block)
    moved = np.minimum(starts, max(rows - block, 0))
    phase = np.arange(stride)[:, None] + stride * np.arange(clips)
    index = (moved[:, None, None] + phase).reshape(-1, clips)
    inside = index < rows
    used = inside & (index >= np.repeat(starts, stride)[:, None])
    needed = used.any(1)
    return np.minimum(index, rows - 1)[needed], inside[needed], used[needed]


@given(ROWS, CLIPS, STRIDES)
def test_by_default_windows_are_those_of_before(rows, clips, stride):
    for given_advance in (None, clips):
        made = cut(rows, clips, stride, given_advance)
        for new, old in zip(made, before(rows, clips, stride), strict=True):
            np.testing.assert_array_equal(new, old)


@given(ROWS, CLIPS, STRIDES, st.data())
def test_overlapping_windows_use_every_row_and_none_occurs_twice(rows, clips, stride, data):
    advance = data.draw(st.integers(1, clips))
    last = data.draw(st.sampled_from(["moved", "padded"]))
    index, inside, used = cut(rows, clips, stride, advance, last)
    assert set(index[used]) == set(range(rows))
    assert (inside | ~used).all()
    if advance < clips:
        assert len(np.unique(index[:, 0])) == len(index)
        assert (used == inside).all(), "each step of each window is trained on"
    if last == "moved":
        assert inside.all() or rows < clips * stride


@given(ROWS, CLIPS, STRIDES, st.data())
def test_dropped_keeps_the_complete_windows_of_padded(rows, clips, stride, data):
    advance = data.draw(st.integers(1, clips))
    padded, inside, _ = cut(rows, clips, stride, advance, "padded")
    kept, whole, used = cut(rows, clips, stride, advance, "dropped")
    np.testing.assert_array_equal(kept, padded[inside.all(1)])
    assert whole.all()
    assert used.all()


@pytest.mark.parametrize(("frames", "covered"), [(400, 0), (480, 0), (1024, 1024), (1500, 1024)])
def test_tbiom_trains_on_complete_windows_of_512_frames(frames, covered):
    """16 clips of 32 frames, a clip that ends at every frame."""
    index, _, used = cut(frames, clips=16, stride=32, last="dropped")
    assert len(np.unique(index[used])) == used.sum() == covered
    assert set(cut(frames, clips=16, stride=32, last="moved")[0].ravel()) == set(range(frames))


def test_rjcma_has_windows_of_300_frames_every_200_and_one_at_the_end():
    index, inside, used = cut(1000, clips=300, stride=1, advance=200)
    assert index[:, 0].tolist() == [0, 200, 400, 600, 700]
    assert inside.all()
    assert used.all()
    exact = cut(900, clips=300, stride=1, advance=200)[0]
    assert exact[:, 0].tolist() == [0, 200, 400, 600], "no second window at the same place"
    padded, inside, _ = cut(1000, clips=300, stride=1, advance=200, last="padded")
    assert padded[:, 0].tolist() == [0, 200, 400, 600, 800]
    assert inside.sum(1).tolist() == [300] * 4 + [200]
    assert cut(120, clips=300, stride=1, advance=200)[1].sum(1).tolist() == [120]


def test_ca_has_a_window_at_every_frame():
    """8 clips of 16 frames, one window per frame; the last clip of a window ends 112 frames on."""
    index, inside, _ = cut(1000, clips=8, stride=16, advance=1)
    assert sorted(index[:, 0]) == list(range(1000 - 112))
    assert inside.all()


def test_only_training_drops():
    assert last_of(WindowSettings(last="dropped"), training=True) == "dropped"
    assert last_of(WindowSettings(last="dropped")) == "moved"
    assert last_of(WindowSettings(last="padded")) == "padded"


def toy(lengths, **kind):
    """Windows of 4 clips, 2 rows apart; the only feature is the row's number."""
    firsts = np.cumsum([0, *lengths])
    numbers = [np.arange(a, b, dtype=np.float32)[:, None] for a, b in pairwise(firsts)]
    return join(iter([(x, -x, np.repeat(x, 2, axis=1)) for x in numbers]), 4, 2, **kind)


def by_window(audio, *_):
    """A prediction that differs between the windows of a row: the first row of the window, and
    its square root."""
    first = audio[:, :1, :1].expand(*audio.shape[:2], 1)
    return torch.cat([first, (first + 1).sqrt()], dim=-1), {"gate_audio": first[..., 0]}


@pytest.mark.parametrize("batch", [1, 5, 256])
@pytest.mark.parametrize("last", ["moved", "padded"])
def test_a_prediction_is_the_mean_over_the_windows_of_its_row(batch, last):
    windows = toy((30, 3, 17), advance=1, last=last)
    expected = np.zeros((50, 2))
    for row in range(50):
        firsts = [
            float(windows.rows[n, 0])
            for n in range(len(windows))
            for step in range(4)
            if windows.inside[n, step] and windows.rows[n, step] == row
        ]
        expected[row] = np.mean(firsts), np.mean(np.sqrt(np.array(firsts) + 1))
    found = windows.predict(by_window, batch=batch)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert len(set(np.round(found[:, 0].tolist(), 3))) > 20, "the windows do overlap"


def test_training_reads_the_gold_of_a_row_in_each_of_its_windows():
    windows = toy((14,), advance=2)
    gold = windows.batch(torch.arange(len(windows))).gold[..., 0]
    counts = torch.bincount(gold[~gold.isnan()].long(), minlength=14)
    assert counts.min() == 1
    assert counts.max() > 1
    assert windows.rated().tolist() == list(range(len(windows)))


def test_a_mean_of_one_value_keeps_its_bits():
    values = torch.tensor([-0.0, 0.0, 1e-45, -3.4e38, 0.1, torch.inf])
    means = RowMeans(8)
    means.add(torch.arange(6), values)
    found = means.result()
    assert found[:6].numpy().tobytes() == values.numpy().tobytes()
    assert found[6:].isnan().all()
