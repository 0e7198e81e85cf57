"""Runs on recordings of only sound or only pictures."""

import numpy as np
import pandas as pd
import pytest

from avfusion.config import load as config
from avfusion.config.sections import FeatureSettings
from avfusion.errors import TrainError
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.runs.train import train_run
from support.synthetic_features import run_settings, write_inputs


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


@pytest.mark.parametrize(
    ("fusion", "features"),
    [("audio", {"audio": ["ear"], "video": []}), ("video", {"audio": [], "video": ["eye"]})],
)
def test_a_run_without_an_encoder_of_the_other_modality_is_the_same(layout, fusion, features):
    plan = write_inputs(layout)
    settings = run_settings(plan, fusion, epochs=2)
    train_run(settings, layout)
    folder = layout.run(plan.corpus, fusion, 0)
    both = pd.read_parquet(folder / "traces.parquet")
    train_run(settings.updated(features=FeatureSettings(**features)), layout)
    one = pd.read_parquet(folder / "traces.parquet")
    pd.testing.assert_frame_equal(one, both)


def test_a_fusion_that_reads_what_no_video_has_is_refused_with_what_to_do(layout):
    plan = write_inputs(layout)
    folder = layout.features(plan.corpus, "eye")
    index = pd.read_parquet(folder / "index.parquet").set_index("video")
    for video in index.index[index.index.str.startswith("train")]:
        rows, times_s = (np.load(folder / f"{video}{end}") for end in (".npy", ".times.npy"))
        index.loc[video, "sha256"] = write_features(folder, video, times_s, rows * np.nan)
    write_table(index.reset_index(), folder / "index.parquet")
    message = r"no train video has a face that eye can read, and concat needs it. Set `video: \[\]`"
    with pytest.raises(TrainError, match=message):
        train_run(run_settings(plan, "concat", epochs=2), layout)


BASE = """
corpora: {{x: {{is: own, root: data/x}}}}
features: {features}
fusions: {fusions}
{more}
"""
CASES = [
    ("{audio: [mel_cnn], video: []}", "{audio: {}}", "", ""),
    ("{audio: [], video: [face_cnn]}", "{video: {}}", "", ""),
    ("{audio: [mel_cnn], video: []}", "{audio: {}, jca: {}, ca: {}}", "",
     "features.video names no encoder, but jca, ca under fusions read pictures"),
    ("{audio: [], video: [face_cnn]}", "{audio: {}}", "",
     "features.audio names no encoder, but audio under fusions reads sound"),
    ("{audio: [], video: []}", "{audio: {}}", "", "features.video names no encoder; name one"),
    ("{audio: [mel_cnn], video: []}", "{audio: {}}", "robustness: {video_missing: [0.5]}",
     "robustness.video_missing: features.video names no encoder. Remove it."),
]  # fmt: skip


@pytest.mark.parametrize(("features", "fusions", "more", "message"), CASES)
def test_a_study_may_leave_out_a_modality_that_no_fusion_reads(
    tmp_path, features, fusions, more, message
):
    path = tmp_path / "c.yaml"
    path.write_text(BASE.format(features=features, fusions=fusions, more=more))
    if not message:
        assert config.load(path).features.encoders
        return
    with pytest.raises(config.ConfigError, match=message):
        config.load(path)
