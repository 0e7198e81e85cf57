"""Protocols: the published rules give the numbers that were worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.metrics.sums import pooled_ccc, video_sums
from avfusion.protocols import protocol
from avfusion.protocols.protocol import Protocol
from avfusion.rating import DIMENSIONS

FOLDER = Path(__file__).parents[3] / "config" / "protocols"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
NO_DELAY = {"valence": 0.0, "arousal": 0.0}


def curve(time_s, values) -> pd.DataFrame:
    """The same values in both dimensions."""
    return pd.DataFrame({"time_s": time_s, "valence": values, "arousal": values})


def rule(**settings) -> Protocol:
    return Protocol(name="x", description="x", **settings)


def ccc(prediction, gold) -> float:
    return float(pooled_ccc(video_sums(prediction, gold)))


@pytest.mark.parametrize("name", NAMES)
def test_every_file_loads_and_says_its_source(name):
    assert protocol.load(name, FOLDER).name == name
    assert (FOLDER / f"{name}.yaml").read_text().startswith("# Source: ")
    assert f"`{name}`" in (FOLDER / "README.md").read_text()


def test_every_key_is_in_the_readme():
    text = (FOLDER / "README.md").read_text()
    assert [key for key in Protocol.model_fields if f"| `{key}`" not in text] == []


def test_no_default_protocol_leaks():
    defaults = Study.model_fields["protocols"].default
    assert not any(protocol.load(name, FOLDER).leaks for name in defaults)
    assert protocol.load("gold_rescaled", FOLDER).stamp == "gold_rescaled (LEAKS GOLD)"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lag_s", [0.0, 0.8, 2.4])
def test_a_perfect_prediction_of_the_stimulus_scores_one(name, lag_s):
    """Gold trails the stimulus by the delay; predictions of the stimulus are in perfect accord."""
    time_s = np.arange(0, 60, 0.04)
    gold = curve(time_s, 0.5 * np.sin(0.2 * (time_s - lag_s)))
    ends_s = np.arange(-5, 61, 0.16)
    trace = curve(ends_s, 0.5 * np.sin(0.2 * ends_s))
    used = protocol.load(name, FOLDER).model_copy(update={"smoothing": None, "postprocess": None})
    pairs = protocol.apply(used, trace, gold, dict.fromkeys(DIMENSIONS, lag_s))
    for dimension in DIMENSIONS:
        assert ccc(*pairs[dimension]) > 0.9999


def test_each_dimension_has_its_own_delay():
    time_s = np.arange(0, 4, 0.5)
    trace = curve(time_s, time_s)
    pairs = protocol.apply(rule(), trace, trace, {"valence": 1.0, "arousal": 0.0})
    assert pairs["valence"][0].tolist() == [0, 0, 0, 0.5, 1, 1.5, 2, 2.5]
    assert pairs["arousal"][0].tolist() == time_s.tolist()


def test_delay_none_compares_at_the_same_instant():
    time_s = np.arange(0, 4, 0.5)
    trace = curve(time_s, time_s)
    pairs = protocol.apply(rule(delay="none"), trace, trace, {"valence": 1.0, "arousal": 1.0})
    assert pairs["valence"][0].tolist() == time_s.tolist()


def test_predictions_are_linear_between_clip_ends_and_held_at_the_edges():
    trace = curve([1.0, 2.0], [0.0, 1.0])
    gold = curve([0.0, 1.0, 1.25, 2.0, 5.0], [0.0] * 5)
    pairs = protocol.apply(rule(), trace, gold, NO_DELAY)
    assert pairs["valence"][0].tolist() == [0.0, 0.0, 0.25, 1.0, 1.0]


def test_zero_edges_halve_a_constant_at_the_ends():
    """The published filter: 20 frames for valence, 50 for arousal, 0.5 becomes 0.25."""
    time_s = np.arange(0, 10, 0.04)
    constant = curve(time_s, np.full(len(time_s), 0.5))
    pairs = protocol.apply(protocol.load("smoothed", FOLDER), constant, constant, NO_DELAY)
    for dimension, width in (("valence", 20), ("arousal", 50)):
        smoothed = pairs[dimension][0]
        assert smoothed[0] == pytest.approx(0.25)
        assert smoothed[width // 2 - 1] < 0.5 - 1e-9
        assert smoothed[width // 2 : -width // 2] == pytest.approx(0.5)
        assert pairs[dimension][1] == pytest.approx(0.5), "gold is never smoothed"


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=80), st.integers(1, 60))
def test_nearest_edges_keep_a_constant_and_the_range(values, width):
    x = np.array(values)
    assert protocol.smooth(np.full_like(x, x[0]), width, "nearest") == pytest.approx(x[0])
    smoothed = protocol.smooth(x, width, "nearest")
    assert smoothed.min() >= x.min() - 1e-9
    assert smoothed.max() <= x.max() + 1e-9


def test_unrated_frames_are_dropped_or_count_as_a_pair_of_zeros():
    gold = curve([0.0, 1.0, 2.0], [0.4, np.nan, 0.2])
    trace = curve([0.0, 1.0, 2.0], [0.1, 0.9, 0.3])
    dropped = protocol.apply(rule(unrated="drop"), trace, gold, NO_DELAY)["valence"]
    zeroed = protocol.apply(rule(unrated="zero"), trace, gold, NO_DELAY)["valence"]
    assert [side.tolist() for side in dropped] == [[0.1, 0.3], [0.4, 0.2]]
    assert [side.tolist() for side in zeroed] == [[0.1, 0.0, 0.3], [0.4, 0.0, 0.2]]


def test_free_zero_pairs_raise_the_score_of_off_centre_ratings(rng):
    """Why `unrated: zero` is no harmless detail: 20% of free pairs lift the same predictions."""
    gold = rng.normal(0.4, 0.15, 2000)
    p = gold + rng.normal(0, 0.2, 2000)
    holes = np.where(rng.random(2000) < 0.2, np.nan, gold)
    time_s = np.arange(2000) * 0.04
    scores = {
        unrated: ccc(
            *protocol.apply(
                rule(unrated=unrated), curve(time_s, p), curve(time_s, holes), NO_DELAY
            )["valence"]
        )
        for unrated in ("drop", "zero")
    }
    assert scores["zero"] > scores["drop"] + 0.1


def test_smoothing_happens_before_unrated_frames_are_dropped():
    """A frame's smoothed value does not depend on whether its neighbour was rated."""
    gold = curve([0.0, 1.0, 2.0], [0.4, np.nan, 0.2])
    trace = curve([0.0, 1.0, 2.0], [0.0, 0.9, 0.0])
    used = rule(smoothing={"valence": 3, "arousal": 3, "edges": "zero"})
    assert protocol.apply(used, trace, gold, NO_DELAY)["valence"][0] == pytest.approx([0.3, 0.3])


def test_predictions_are_clipped():
    trace = curve([0.0, 1.0], [-3.0, 2.0])
    p, _ = protocol.apply(protocol.load("pooled", FOLDER), trace, trace, NO_DELAY)["valence"]
    assert p.tolist() == [-1.0, 1.0]


def test_rescaling_forgives_a_shrunken_predictor(rng):
    """A predictor of a fifth of the size and with an offset looks good once gold sets its scale."""
    gold = np.clip(rng.normal(0, 0.3, 4000), -1, 1)
    shrunk = 0.2 * (gold + rng.normal(0, 0.15, 4000)) + 0.3
    used = protocol.load("gold_rescaled", FOLDER)
    honest, rescaled = ccc(shrunk, gold), ccc(*protocol.rescale(used, [(shrunk, gold)])[0])
    assert honest < 0.25
    assert rescaled > 0.6


@given(st.floats(0.05, 20), st.floats(-5, 5))
def test_rescaling_forgets_size_and_offset(size, offset):
    rng = np.random.default_rng(3)
    gold, p = rng.normal(0, 0.3, 200), rng.normal(0, 0.3, 200)
    used = protocol.load("gold_rescaled", FOLDER)
    one = ccc(*protocol.rescale(used, [(p, gold)])[0])
    other = ccc(*protocol.rescale(used, [(size * p + offset, gold)])[0])
    assert one == pytest.approx(other, abs=1e-6)


def test_rescaling_looks_at_all_videos_at_once_and_others_change_nothing(rng):
    pairs = [(rng.normal(0, 1, n), rng.normal(0, 1, n)) for n in (3, 0, 5)]
    same = protocol.rescale(protocol.load("pooled", FOLDER), pairs)
    assert same is pairs
    scaled = protocol.rescale(protocol.load("gold_rescaled", FOLDER), pairs)
    assert [len(p) for p, _ in scaled] == [3, 0, 5]
    gold = np.concatenate([g for _, g in scaled])
    assert (gold.min(), gold.max()) == (0.0, 1.0)
    assert np.concatenate([p for p, _ in scaled]).mean() == pytest.approx(gold.mean())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poolin": "pooled"}, "Did you mean 'pooling'"),
        ({"pooling": "mean"}, "found 'mean'"),
        ({"smoothing": {"valance": 3, "valence": 3, "arousal": 3}}, "Did you mean 'valence'"),
        ({"smoothing": {"valence": 0, "arousal": 3}}, "smoothing.valence"),
        ({"rescale": "gold_minmax_mean"}, "leaks: true"),
        ({"name": "other"}, "its name is 'other'"),
        ({"description": None}, "description"),
    ],
)
def test_faults_are_refused_with_the_file_and_the_remedy(tmp_path, change, message):
    content = {"name": "mine", "description": "Mine."} | change
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=message) as refused:
        protocol.load("mine", tmp_path)
    assert "mine.yaml" in str(refused.value)


def test_an_unknown_protocol_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'pooled'"):
        protocol.load("poled", FOLDER)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)
