"""The distance from training features: 1 is what 1 % of the validation rows exceed."""

import numpy as np
import pytest

from avfusion.prediction.outlook import FULL, Outlook


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def rows(rng, count, width, mix):
    return (rng.standard_normal((count, width)) @ mix + 5).astype(np.float32)


def test_distance_knows_how_features_vary_together(rng, tmp_path):
    mix = np.diag([1.0, 1.0, 100.0]) @ np.array([[1, 0.99, 0], [0, 0.14, 0], [0, 0, 1]])
    train, validation = rows(rng, 5000, 3, mix), rows(rng, 5000, 3, mix)
    outlook = Outlook.of(train, validation)
    share = (outlook.distance(rows(rng, 5000, 3, mix)) > 1).mean()
    assert share == pytest.approx(0.01, abs=0.006)
    center = train.mean(0)
    # The second never happens together.
    along, across = (center + np.array(step) for step in ([3, 3, 0], [3, -3, 0]))
    near, far = outlook.distance(np.stack([along, across]).astype(np.float32))
    assert near < 1.5
    assert far > 4
    outlook.save(tmp_path / "outlook.safetensors")
    read = Outlook.read(tmp_path / "outlook.safetensors")
    np.testing.assert_array_equal(read.distance(validation[:9]), outlook.distance(validation[:9]))


def test_constant_features_missing_features_and_absent_rows(rng):
    train = rows(rng, 500, 4, np.eye(4))
    train[:, 2] = 7
    outlook = Outlook.of(train, train)
    some = train[:3].copy()
    some[1, 0] = np.nan
    some[2] = np.nan
    found = outlook.distance(some)
    assert np.isfinite(found[:2]).all()
    assert np.isnan(found[2])


def test_wide_features_have_a_diagonal(rng):
    train = rng.standard_normal((300, FULL + 1)).astype(np.float32)
    outlook = Outlook.of(train, rng.standard_normal((300, FULL + 1)).astype(np.float32))
    assert outlook.whitening.shape == (FULL + 1,)
    assert (outlook.distance(train * 5) > 1).all()


def test_without_validation_rows_train_rows_say_what_is_far(rng):
    train = rows(rng, 400, 2, np.eye(2))
    outlook = Outlook.of(train, train[:0])
    assert (outlook.distance(train) > 1).mean() == pytest.approx(0.01, abs=0.005)
