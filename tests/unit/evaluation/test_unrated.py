"""The published rule for unrated frames, against the published steps frame by frame."""

import numpy as np
import pandas as pd
import pytest

from avfusion.errors import ConfigError
from avfusion.metrics.sums import pooled_ccc, video_sums
from avfusion.protocols import protocol
from avfusion.protocols.series import held
from avfusion.rating import Rating

UNRATED = -5.0
BOX = {"valence": 20, "arousal": 50}
NO_DELAY = {"valence": 0.0, "arousal": 0.0}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def published(predictions: np.ndarray, labels: np.ndarray) -> dict[str, tuple[list, list]]:
    """The published validation of one video; predictions and labels (N, 2), -5 = unrated.

    Label maker: frames with a -5 are left out of the list. Loader: the clip that ends at frame j
    reads the listed frames among j-31 to j and has the labels of the newest; without one it has the
    label -5. Validation: arrays of zeros, filled at the last frame of each clip unless its label is
    -5; then clipping, then a box filter of the predictions with zeros beyond the edges.
    """
    count = len(labels)
    listed = [j for j in range(count) if labels[j][0] != UNRATED and labels[j][1] != UNRATED]
    scored = {}
    for column, (name, width) in enumerate(BOX.items()):
        kept, gold = [0.0] * count, [0.0] * count
        for j in range(count):
            in_clip = [frame for frame in listed if j - 31 <= frame <= j]
            if not in_clip:
                continue
            kept[j] = float(predictions[j][column])
            gold[j] = float(labels[in_clip[-1]][column])
        clipped = [min(max(value, -1.0), 1.0) for value in kept]
        smooth = []
        for j in range(count):
            box = range(j - width // 2, j - width // 2 + width)
            smooth.append(sum(clipped[k] for k in box if 0 <= k < count) / width)
        scored[name] = smooth, gold
    return scored


def video(rng, holes, count=420):
    """Predictions and labels (N, 2); holes: (first frame, frames, columns that are unrated)."""
    at = np.arange(count)[:, None] / rng.uniform(15, 40, 2)
    labels = 0.6 * np.sin(at + rng.uniform(0, 6, 2)) + 0.2
    predictions = 1.4 * labels + rng.normal(0, 0.3, labels.shape)
    for first, frames, columns in holes:
        labels[first : first + frames, columns] = UNRATED
    return predictions, labels


def ours(predictions, labels, name="abaw_published_code", targets=("valence", "arousal")):
    time_s = np.arange(len(labels)) / 30
    values = np.where(labels == UNRATED, np.nan, labels)
    trace = pd.DataFrame({"time_s": time_s, "valence": predictions[:, 0]})
    gold = pd.DataFrame({"video": "v", "time_s": time_s, "valence": values[:, 0]})
    trace["arousal"], gold["arousal"] = predictions[:, 1], values[:, 1]
    return protocol.apply(protocol.load(name), trace, gold, NO_DELAY, Rating(targets))


def assert_published(predictions, labels):
    made, expected = ours(predictions, labels), published(predictions, labels)
    for name, sides in expected.items():
        for side, wanted in zip(made[name], sides, strict=True):
            np.testing.assert_allclose(side, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 10, 30, 31, 32, 33, 63, 64, 100, 200])
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_one_gap_scores_as_published(rng, frames, place):
    first = {"start": 0, "middle": 150, "end": 420 - frames}[place]
    assert_published(*video(rng, [(first, frames, [0, 1])]))


@pytest.mark.parametrize("column", [0, 1])
def test_a_frame_without_one_rating_is_unrated_in_both(rng, column):
    predictions, labels = video(rng, [(60, 45, [column]), (200, 10, [1 - column])])
    assert_published(predictions, labels)
    both = np.where((labels == UNRATED).any(1, keepdims=True), UNRATED, labels)
    assert published(predictions, labels) == published(predictions, both)
    alone = ours(predictions, labels, targets=("valence",))["valence"]
    np.testing.assert_array_equal(alone, ours(predictions, labels)["valence"])


def test_videos_with_every_gap_have_the_published_ccc(rng):
    """Gaps of 1 to 200 frames, some next to each other, in videos that are pooled."""
    pairs = {name: ([], [], [], []) for name in BOX}
    for start in range(1, 201, 20):
        holes, first = [], int(rng.integers(0, 40))
        for frames in range(start, start + 20):
            holes.append((first, frames, [[0], [1], [0, 1]][int(rng.integers(3))]))
            first += frames + int(rng.integers(1, 60))
        predictions, labels = video(rng, holes, count=first)
        made, expected = ours(predictions, labels), published(predictions, labels)
        for name in BOX:
            for kept, side in zip(pairs[name], (*made[name], *expected[name]), strict=True):
                kept.extend(side)
    for p, g, wanted_p, wanted_g in pairs.values():
        found = float(pooled_ccc(video_sums(np.array(p), np.array(g))))
        wp, wg = np.array(wanted_p), np.array(wanted_g)
        spread = wp.var() + wg.var() + (wp.mean() - wg.mean()) ** 2
        assert found == pytest.approx(2 * np.mean((wp - wp.mean()) * (wg - wg.mean())) / spread,
                                      abs=1e-6)  # fmt: skip


def test_the_rule_without_holding_is_another(rng):
    predictions, labels = video(rng, [(150, 10, [0, 1])])
    before, now = (ours(predictions, labels, name) for name in ("smoothed", "abaw_published_code"))
    assert np.abs(before["valence"][0] - now["valence"][0]).max() > 0.01
    assert (before["valence"][1][150:160] == 0).all()
    assert (now["valence"][1][150:160] == labels[149, 0]).all()


def test_a_video_without_ratings_or_frames_holds_nothing():
    blank = pd.DataFrame({"valence": [np.nan] * 3, "arousal": [0.1, np.nan, 0.3]})
    assert np.isnan(held(blank, 31)).all()
    assert held(blank.iloc[:0], 31).shape == (2, 0)


@pytest.mark.parametrize("keys", ["unrated: hold", "hold_frames: 31"])
def test_hold_and_its_frames_are_given_together(tmp_path, keys):
    (tmp_path / "x.yaml").write_text(f"name: x\ndescription: x\n{keys}\n")
    with pytest.raises(ConfigError, match=r"x\.yaml: unrated is .* Give both `unrated: hold` and"):
        protocol.load("x", tmp_path)
