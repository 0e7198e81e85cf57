"""Clip grid, pooling and the feature store's refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.errors import AvfError
from avfusion.features.store import FeatureStore, write_features
from avfusion.media.clips import clip_ends, clip_spans, pool_clips
from avfusion.schemas import INDEX

HOPS = st.sampled_from([0.1, 0.16, 0.2, 0.25, 1 / 3])


@given(st.floats(0.0, 90.0), HOPS)
def test_clips_end_every_hop_and_none_after_the_video(duration_s, hop_s):
    ends = clip_ends(duration_s, hop_s)
    np.testing.assert_allclose(ends, hop_s * (1 + np.arange(len(ends))))
    assert len(ends) == 0 or ends[-1] <= duration_s + 1e-5
    assert duration_s - len(ends) * hop_s < hop_s + 1e-5


@pytest.mark.parametrize(("count", "hop_s"), [(150, 0.16), (3, 0.1), (7, 0.7), (1000, 1 / 3)])
def test_a_duration_of_whole_hops_loses_no_clip_to_rounding(count, hop_s):
    assert len(clip_ends(count * hop_s, hop_s)) == count


@given(st.lists(st.integers(0, 2000), unique=True).map(sorted), st.integers(1, 9))
def test_a_span_holds_the_instants_after_the_start_up_to_the_end(cents, steps):
    times, ends, clip_s = np.array(cents) / 100, clip_ends(20.0, 0.16), steps * 0.16
    first, last = clip_spans(times, ends, clip_s)
    for end_number, (a, b) in enumerate(zip(first, last, strict=True), start=1):
        end = 16 * end_number  # in hundredths of a second, exact
        assert list(cents[a:b]) == [t for t in cents if end - 16 * steps < t <= end]


def test_pooling_is_the_mean_of_what_lies_in_the_clip_and_nan_where_nothing_does():
    times, values = np.array([0.1, 0.2, 0.9]), np.array([[1.0], [3.0], [7.0]], np.float32)
    pooled = pool_clips(times, values, clip_ends(1.0, 0.25), 0.5)
    np.testing.assert_array_equal(pooled[:, 0], [2.0, 2.0, np.nan, 7.0])


@pytest.fixture
def store(tmp_path):
    """Two videos with features and one that failed."""
    rng, rows = np.random.default_rng(0), []
    for video, count in {"a": 5, "b": 0}.items():
        values = rng.normal(size=(count, 4))
        sha256 = write_features(tmp_path, video, clip_ends(count * 0.16, 0.16), values)
        rows.append((video, "ok", None, count, 4, 0.0, sha256))
    rows.append(("c", "failed", "c.mp4: cut short.", 0, 0, np.nan, None))
    pd.DataFrame(rows, columns=INDEX).to_parquet(tmp_path / "index.parquet")
    return FeatureStore.open(tmp_path / "index.parquet")


def test_features_come_back_memory_mapped_on_their_grid(store):
    times_s, rows = store.load("a")
    assert store.videos == ["a", "b"]
    assert store.dim == 4
    assert isinstance(rows, np.memmap)
    assert rows.dtype == np.float16
    np.testing.assert_allclose(times_s, [0.16, 0.32, 0.48, 0.64, 0.80])
    assert store.load("b").rows.shape == (0, 4)


def test_a_failed_video_is_refused_with_its_reason(store):
    with pytest.raises(AvfError, match="cut short"):
        store.load("c")


def test_an_unknown_video_is_refused_by_name(store):
    with pytest.raises(AvfError, match=r"'d'.*avf encode"):
        store.load("d")


@pytest.mark.parametrize("name", ["a.npy", "a.times.npy"])
@pytest.mark.parametrize("harm", ["cut", "emptied", "removed", "foreign", "longer"])
def test_a_damaged_file_is_refused_with_the_next_command(store, name, harm):
    path = store.path.parent / name
    data = path.read_bytes()
    match harm:
        case "cut":
            path.write_bytes(data[:-3])
        case "emptied":
            path.write_bytes(b"")
        case "removed":
            path.unlink()
        case "foreign":
            np.save(path, np.zeros((5, 4), np.float32))
        case "longer":
            np.save(path, np.load(path).repeat(2, 0))
    with pytest.raises(AvfError, match=f"{name}.*avf encode"):
        store.load("a")


def test_another_table_is_not_taken_for_an_index(tmp_path):
    pd.DataFrame({"video": ["a"]}).to_parquet(tmp_path / "index.parquet")
    with pytest.raises(AvfError, match="lacks status"):
        FeatureStore.open(tmp_path / "index.parquet")
    with pytest.raises(AvfError, match="no such index"):
        FeatureStore.open(tmp_path / "none.parquet")


def test_an_index_without_features_or_with_two_widths_has_no_dim(store):
    store.index["dim"] = [4, 8, 0]
    with pytest.raises(AvfError, match=r"\[4, 8\]"):
        _ = store.dim
    store.index["status"] = "failed"
    with pytest.raises(AvfError, match="no video"):
        _ = store.dim
