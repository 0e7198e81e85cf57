"""Clips in frames: exact seconds, one way to give them, and no drift over an hour."""

import copy

import numpy as np
import pandas as pd
import pytest

from avfusion.config.load import load
from avfusion.config.sections import ClipSettings, WindowSettings
from avfusion.errors import ConfigError
from avfusion.features.corrupt import corrupted
from avfusion.features.store import FeatureStore, write_features
from avfusion.features.windows import stride_of
from avfusion.media.clips import clip_ends, clip_spans
from avfusion.schemas import INDEX

GOOD = {"corpora": {"demo": {"root": "data/demo"}}, "fusions": {"concat": {}}}
FRAMES = {"clip_frames": 32, "hop_frames": 1, "frame_hz": 30}


def windows(**keys):
    return load({**copy.deepcopy(GOOD), "windows": keys}).windows


def refusal(**keys):
    with pytest.raises(ConfigError) as caught:
        windows(**keys)
    return str(caught.value)


def test_frames_give_exact_seconds():
    cuts = windows(**FRAMES, clips=16)
    assert (cuts.clip_s, cuts.hop_s) == (32 / 30, 1 / 30)
    assert stride_of(cuts) == 32


def test_settings_that_were_written_are_read_again():
    study = load({**copy.deepcopy(GOOD), "windows": FRAMES})
    assert load(study.model_dump(mode="json")).windows == study.windows
    clips = study.encoder_settings("mel_cnn").windows
    assert ClipSettings.model_validate_json(clips.model_dump_json()) == clips
    assert (clips.clip_s, clips.hop_s) == (32 / 30, 1 / 30)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (FRAMES | {"clip_s": 0.64}, "windows: clip_s is 0.64, but the grid is in frames and gives"),
        (FRAMES | {"hop_s": 0.04}, "gives 0.0333333 s. Remove hop_s, or clip_frames, hop_frames,"),
        (FRAMES | {"hop_s": 0.04}, "A file without `fusions` also has the hop_s of config/config."),
        ({"clip_frames": 32, "frame_hz": 30}, "found no hop_frames. Add it, or give clip_s and"),
        ({"frame_hz": 30}, "needs clip_frames, hop_frames, frame_hz; found no clip_frames."),
        (FRAMES | {"hop_frames": 3}, "windows.clip_frames (32) must be a multiple of windows.hop_"),
        (FRAMES | {"frame_hz": 0}, "windows.frame_hz: input should be greater than 0"),
        ({"clip_s": 1.0, "hop_s": 0.3}, "windows.clip_s (1.0) must be a multiple of windows.hop_s"),
        ({"clip_s": 1e-9}, "windows.clip_s (1e-09) must be a multiple of windows.hop_s (0.16)"),
        ({"clips": 4, "advance": 5}, "windows.advance (5) is above windows.clips (4), so rows"),
        ({"advance": 0}, "windows.advance: input should be greater than or equal to 1"),
        ({"last": "drop"}, "windows.last: input should be 'moved', 'padded' or 'dropped'"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(keys, expected):
    assert expected in refusal(**keys)


@pytest.mark.parametrize("keys", [{"advance": 4, "clips": 8}, {"last": "dropped"}])
def test_classes_need_each_row_once(keys):
    raw = copy.deepcopy(GOOD) | {"windows": keys}
    raw["corpora"]["demo"]["task"] = "classes"
    with pytest.raises(ConfigError, match=r"windows\..* is not offered with `task: classes`"):
        load(raw)


def test_rounded_seconds_are_a_grid_that_does_not_drift():
    cuts = windows(clip_s=1.0666667, hop_s=0.0333333)
    assert stride_of(cuts) == 32
    assert cuts.clip_s == 1.0666667
    assert cuts.hop_s == pytest.approx(1 / 30, abs=2e-9)
    hour = clip_ends(3600.0, cuts.hop_s)
    assert np.abs(hour - np.arange(1, len(hour) + 1) / 30).max() < 2e-4, "3.6 ms as it was given"
    assert "must be a multiple" in refusal(clip_s=1.067, hop_s=0.0333)
    usual = WindowSettings(clip_s=1.12, hop_s=0.16)
    assert (usual.clip_s, usual.hop_s) == (1.12, 0.16), "no bit of other grids is changed"


@pytest.mark.parametrize("rate_hz", [24, 25, 30, 30000 / 1001])
def test_an_hour_of_frames_is_exact_and_read_back(tmp_path, rate_hz):
    cuts = ClipSettings(clip_frames=32, hop_frames=1, frame_hz=rate_hz)
    count = int(3600 * rate_hz)
    ends = clip_ends(3600.0, cuts.hop_s)
    assert len(ends) == count
    assert np.abs(ends - np.arange(1, count + 1) / np.longdouble(rate_hz)).max() < 1e-9
    first, last = clip_spans(np.arange(count + 1) / rate_hz, ends, cuts.clip_s)
    assert set((last - first)[31:]) == {32}, "each clip has its frames and no other"
    assert ((last - 1) == np.arange(1, count + 1)).all()
    rows = np.zeros((count, 1))
    sha256 = write_features(tmp_path, "a", ends, rows)
    index = pd.DataFrame([("a", "ok", None, count, 1, 0.0, sha256)], columns=INDEX)
    index.to_parquet(tmp_path / "index.parquet")
    np.testing.assert_array_equal(FeatureStore.open(tmp_path / "index.parquet").load("a")[0], ends)


def test_a_delay_is_a_number_of_frames(tmp_path):
    raw = copy.deepcopy(GOOD) | {"windows": FRAMES}
    late = {"audio_late": [0.1, 0.3333333, 4 / 3]}
    study = load(raw | {"robustness": late})
    with pytest.raises(ConfigError, match=r"multiples of windows\.hop_s"):
        load(raw | {"robustness": {"audio_late": [0.05]}})
    rows = np.arange(100.0)[:, None]
    sha256 = write_features(tmp_path, "a", clip_ends(100 / 30, study.windows.hop_s), rows)
    index = pd.DataFrame([("a", "ok", None, 100, 1, 0.0, sha256)], columns=INDEX)
    index.to_parquet(tmp_path / "index.parquet")
    stores = {"ear": FeatureStore.open(tmp_path / "index.parquet")}
    for level, frames in zip(late["audio_late"], (3, 10, 40), strict=True):
        spreads = {"ear": np.ones(1)}
        moved = corrupted(stores, "audio_late", level, study.windows, spreads, 0)["ear"]
        np.testing.assert_array_equal(moved.load("a").rows[frames:, 0], np.arange(100.0 - frames))
