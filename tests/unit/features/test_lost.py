"""Removed files of features are found from the tables, and counted once per plan."""

import numpy as np
import pandas as pd

from avfusion.features.lost import losses, lost
from avfusion.features.store import write_features
from avfusion.io.shards import shard_path, write_table


def test_features_that_are_listed_and_not_there_are_lost(tmp_path):
    rows = [("a", "ok"), ("b", "failed"), ("c", "ok")]
    assert lost(tmp_path / "none", (0, 1)) == []
    for video in "ac":
        write_features(tmp_path, video, np.arange(1, 3.0), np.ones((2, 4)))
    write_table(pd.DataFrame(rows, columns=["video", "status"]), shard_path(tmp_path, (0, 1)))
    assert lost(tmp_path, (0, 1)) == []
    assert losses(tmp_path, (0, 1), count=True) == ""
    (tmp_path / "c.times.npy").unlink()
    assert lost(tmp_path, (0, 1)) == ["c"]
    assert losses(tmp_path, (0, 1), count=False) == "", "a job on another machine does not count"
    assert losses(tmp_path, (0, 1), count=True) == "1"
    write_features(tmp_path, "c", np.arange(1, 3.0), np.ones((2, 4)))
    assert losses(tmp_path, (0, 1), count=True) == "1", "so the job does not run a second time"
