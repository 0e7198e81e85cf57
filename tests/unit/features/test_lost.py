"""Removed files of features are found from the tables."""

import os

import numpy as np
import pandas as pd

from avfusion.features.lost import lost
from avfusion.features.store import write_features
from avfusion.io.shards import shard_path, write_table


def test_features_that_are_listed_and_not_there_are_lost(tmp_path):
    rows = [("a", "ok"), ("b", "failed"), ("c", "ok")]
    assert lost(tmp_path / "none", (0, 1), ()) == []
    for video in "ac":
        write_features(tmp_path, video, np.arange(1, 3.0), np.ones((2, 4)))
    write_table(pd.DataFrame(rows, columns=["video", "status"]), shard_path(tmp_path, (0, 1)))
    assert lost(tmp_path, (0, 1), os.listdir(tmp_path)) == []
    (tmp_path / "c.times.npy").unlink()
    assert lost(tmp_path, (0, 1), os.listdir(tmp_path)) == ["c"]
