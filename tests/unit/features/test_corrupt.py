"""A corruption does what it says, to the same places for everyone, and nothing at level 0."""

import itertools

import numpy as np
import pytest

from avfusion.config import corruptions
from avfusion.config.load import load
from avfusion.config.sections import ClipSettings
from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.features import corrupt
from avfusion.features.store import FeatureStore
from avfusion.layout import Layout
from support.synthetic_features import Plan, write_inputs

CUTS = ClipSettings(clip_s=0.64, hop_s=0.16)
STRIDE = 4
OF_FEATURES = [n for n in corruptions.names() if not corruptions.find(n)[1].signal]


@pytest.fixture
def stores(tmp_path) -> dict[str, FeatureStore]:
    layout, plan = Layout(tmp_path), Plan(absent_share=0.0)
    write_inputs(layout, plan)
    return {e: FeatureStore.open(layout.features(plan.corpus, e) / "index.parquet")
            for e in plan.widths}  # fmt: skip


def rows(
    stores, name: str, level: float, video: str = "test_00", encoder="ear", seed=0, contexts=None
):
    """What an encoder's store gives under a corruption."""
    used = {encoder: stores[encoder]}
    spreads = {e: corrupt.spread(s, ["train_00", "train_01"]) for e, s in used.items()}
    changed = corrupt.corrupted(used, name, level, CUTS, spreads, seed, contexts or {})
    return changed[encoder].load(video).rows


def gone(changed: np.ndarray) -> np.ndarray:
    return np.isnan(changed).all(axis=1)


@pytest.mark.parametrize("name", OF_FEATURES)
def test_level_0_changes_nothing(stores, name):
    assert np.array_equal(rows(stores, name, 0.0), stores["ear"].load("test_00").rows)


@pytest.mark.parametrize("name", OF_FEATURES)
def test_the_same_seed_draws_the_same_and_another_seed_does_not(stores, name):
    level = 0.32 if name.endswith("late") else 0.5
    first = rows(stores, name, level)
    assert np.array_equal(first, rows(stores, name, level), equal_nan=True)
    drawn = not name.endswith("late")
    other = [rows(stores, name, level, seed=s) for s in (1, 2, 3)]
    assert any(not np.array_equal(first, o, equal_nan=True) for o in other) == drawn
    videos = [rows(stores, name, level, video) for video in ("test_01", "test_02")]
    apart = any(not np.array_equal(gone(first), gone(v)) for v in videos)
    assert apart == name.split("_", 1)[1].startswith("missing")


@pytest.mark.parametrize("name", ["audio_missing", "audio_missing_block"])
@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("context", [None, (0.64, 0.0), (2.56, 0.0), (1.0, 0.3)])
def test_rows_go_that_depend_on_a_removed_stretch_and_no_others(stores, name, level, context):
    absent = gone(rows(stores, name, level, contexts={"ear": context}))
    spans_s = corrupt.removed_spans(name, level, "test_00", len(absent), CUTS, 0)
    assert len(spans_s) == round(level * -(-len(absent) // STRIDE))
    assert all(stop - start == pytest.approx(0.64) for start, stop in spans_s)
    before_s, after_s = context or (0.64, 0.0)
    ends_s = 0.16 * np.arange(1, len(absent) + 1)
    depends = [
        any(
            end - before_s < stop - 1e-6 and end + after_s > start + 1e-6 for start, stop in spans_s
        )
        for end in ends_s
    ]
    np.testing.assert_array_equal(absent, depends)


@pytest.mark.parametrize("name", ["audio_missing", "audio_missing_block"])
def test_what_is_gone_stays_gone_as_the_level_rises(stores, name):
    for video in ("test_00", "test_01", "test_02"):
        masks = [gone(rows(stores, name, level, video)) for level in (0.1, 0.2, 0.5, 0.7, 0.9)]
        for less, more in itertools.pairwise(masks):
            assert more[less].all()


def test_everything_can_go(stores):
    assert gone(rows(stores, "audio_missing", 1.0)).all()


def test_a_block_is_one_run(stores):
    absent = gone(rows(stores, "audio_missing_block", 0.4))
    assert (np.diff(absent.astype(int)) == 1).sum() + absent[0] == 1


def test_all_encoders_of_a_modality_miss_the_same(stores):
    heard = [gone(rows(stores, "audio_missing", 0.5, encoder=e)) for e in ("ear", "eye")]
    assert np.array_equal(*heard)


def test_what_is_left_is_untouched(stores):
    clean, changed = stores["ear"].load("test_00").rows, rows(stores, "audio_missing", 0.5)
    assert np.array_equal(changed[~gone(changed)], clean[~gone(changed)])


def test_late_rows_are_those_of_earlier_clips(stores):
    clean, changed = stores["ear"].load("test_00").rows, rows(stores, "audio_late", 0.48)
    assert np.array_equal(changed[3:], clean[:-3])
    assert gone(changed[:3]).all()


def test_later_than_the_video_is_long_leaves_nothing(stores):
    assert gone(rows(stores, "audio_late", 160.0)).all()


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
def test_noise_has_its_share_of_the_variance(stores, level):
    """Against the deviation within videos of train; adjoining clips get noise of their own."""
    clean = stores["ear"].load("test_00").rows.astype(float)
    noise = rows(stores, "audio_feature_noise", level) - clean
    noise /= corrupt.spread(stores["ear"], ["train_00", "train_01"])
    assert np.mean(noise**2) == pytest.approx(level / (1 - level), rel=0.15)
    lags = [np.mean(noise[lag:] * noise[:-lag]) / np.mean(noise**2) for lag in (1, 2, STRIDE)]
    assert lags == pytest.approx([0.75, 0.5, 0.0], abs=0.1)


def test_spread_is_that_within_videos(stores):
    parts = [stores["ear"].load(v).rows.astype(float) for v in ("train_00", "train_01")]
    centred = np.concatenate([part - part.mean(axis=0) for part in parts])
    assert corrupt.spread(stores["ear"], ["train_00", "train_01"]) == pytest.approx(
        centred.std(axis=0)
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"audio_mising": [0.1]}, "Did you mean 'audio_missing'"),
        ({"audio_missing": [0.0, 0.5]}, "rise and start above 0"),
        ({"audio_missing": [0.5, 0.1]}, "rise and start above 0"),
        ({"audio_missing": []}, "levels must be numbers"),
        ({"audio_missing": [50.0]}, "shares"),
        ({"video_feature_noise": [1.0]}, "noise only"),
        ({"audio_late": [0.2]}, "multiples of windows.hop_s"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_remedy(given, message):
    with pytest.raises(ConfigError, match=message):
        load({**GOOD, "robustness": given})


def test_right_settings_pass():
    levels = {"audio_missing": [0.1, 1.0], "audio_late": [0.16, 0.64]}
    assert load({**GOOD, "robustness": levels}).robustness == levels


def test_training_does_not_depend_on_robustness():
    plain, asked = (Study.model_validate({**GOOD, "robustness": given})
                    for given in ({}, {"audio_missing": [0.5]}))  # fmt: skip
    assert plain.run_settings("demo", "ca", 0) == asked.run_settings("demo", "ca", 0)
    assert plain.score_settings("demo") == asked.score_settings("demo")


GOOD = {"corpora": {"demo": {"root": "data/demo"}}, "fusions": {"ca": {}, "concat": {}}}
