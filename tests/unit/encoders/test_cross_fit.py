"""Cross-fitting: features of a train video never depend on its person's gold."""

import numpy as np
import pandas as pd
import pytest

from avfusion.config.load import checked
from avfusion.config.study import Study
from avfusion.encoders.cross_fit import folds
from avfusion.encoders.stage import encode_shard, fit
from avfusion.errors import TrainError
from avfusion.features.store import FeatureStore
from avfusion.io.shards import join, write_table
from avfusion.layout import Layout
from support import synthetic_media as media

PARTITIONS = {"train": 4, "validation": 1, "test": 1}


def encoded(results, options, change=None, name="mel_cnn"):
    """Features of all videos; `change` edits the gold first."""
    layout = media.make_corpus(results, PARTITIONS, seconds=3)
    table = pd.read_parquet(layout.manifest("tiny"))
    write_table(table.assign(subject=table["video"]), layout.manifest("tiny"))
    gold = pd.read_parquet(layout.gold("tiny"))
    if change is not None:
        change(gold)
        gold.to_parquet(layout.gold("tiny"))
    settings = media.settings(name, epochs=2).updated(**options)
    fit("tiny", settings, layout)
    encode_shard("tiny", (0, 1), settings, layout)
    join(layout.features("tiny", name))
    store = FeatureStore.open(layout.features("tiny", name) / "index.parquet")
    return {video: store.load(video).rows for video in store.videos}


@pytest.mark.parametrize("name", ["mel_cnn", "face_cnn"])
def test_gold_of_a_person_changes_no_feature_of_their_fold(tmp_path, name):
    def turn(gold: pd.DataFrame) -> None:
        gold.loc[gold["video"] == "train_0", ["valence", "arousal"]] *= -1

    two = {"cross_fit": 2}
    plain, turned = (
        encoded(tmp_path / place, two, change, name)
        for place, change in (("plain", None), ("turned", turn))
    )
    same = {v for v in plain if np.array_equal(plain[v], turned[v], equal_nan=True)}
    assert same == {"train_0", "train_2"}  # the fold of train_0, whose fit did not see it


def test_test_videos_are_encoded_by_the_fit_on_all_people(tmp_path):
    plain, crossed = (encoded(tmp_path / str(count), {"cross_fit": count}) for count in (0, 2))
    # The fit on all people has the same examples; the settings are part of its name only.
    for video in plain:
        equal = np.array_equal(plain[video], crossed[video], equal_nan=True)
        assert equal == (not video.startswith("train")), video


def manifest(folder, subjects) -> Layout:
    layout = Layout(folder)
    table = pd.DataFrame(
        {
            "video": [f"v{i}" for i in range(len(subjects))],
            "partition": ["train"] * (len(subjects) - 1) + ["test"],
            "subject": subjects,
        }
    )
    write_table(table, layout.manifest("tiny"))
    return layout


def test_all_videos_of_a_person_are_in_one_fold(tmp_path):
    layout = manifest(tmp_path, ["ann", "bob", "ann", None, "cid", "dan"])
    dealt = folds("tiny", 2, layout)
    assert set(dealt) == {"v0", "v1", "v2", "v3", "v4"}
    assert dealt["v0"] == dealt["v2"]
    assert set(dealt.values()) == {0, 1}
    assert folds("tiny", 0, layout) == {}


def test_more_folds_than_people_are_refused(tmp_path):
    with pytest.raises(TrainError, match="cross_fit is 3, but the train partition has 2 people"):
        folds("tiny", 3, manifest(tmp_path, ["ann", "bob", "ann", "eve"]))


def study(**changes) -> Study:
    return Study(corpora={"demo": {"root": "data/demo"}}, fusions={"ca": {}}, **changes)


def test_only_fitted_encoders_are_cross_fitted_and_one_fold_is_refused():
    made = study(cross_fit=3)
    assert made.encoder_settings("mel_cnn").cross_fit == 3
    assert made.encoder_settings("face_expression").cross_fit == 0
    raw = {"corpora": {"demo": {"root": "data/demo"}}, "fusions": {"ca": {}}, "cross_fit": 1}
    assert any("1 fold leaves no person" in message for message in checked(raw)[1])


def test_fits_have_their_own_names_seeds_and_features():
    made = study(encoder_seeds=[0, 4], seeds=[0, 1, 2, 3])
    assert made.all_features().encoders == [
        *("mel_cnn", "mel_cnn-fit4", "face_expression", "face_cnn", "face_cnn-fit4"),
    ]
    assert [made.run_settings("demo", "ca", seed).features.audio for seed in range(4)] == [
        *(["mel_cnn"], ["mel_cnn-fit4"]),
        *(["mel_cnn"], ["mel_cnn-fit4"]),
    ]
    assert study(encoder_seeds=[0, 4], seeds=[3]).all_features().audio == ["mel_cnn"]
    first, second = (made.encoder_settings(name) for name in ("mel_cnn", "mel_cnn-fit4"))
    assert (first.options, second.options) == ({}, {"seed": 4})
    assert first.class_ == second.class_ == "mel_cnn"
    own = study(encoders={"mel_cnn": {"seed": 3}}, encoder_seeds=[0, 4], seeds=[0, 1])
    assert own.encoder_settings("mel_cnn-fit4").options == {"seed": 7}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_seeds": [0, 1], "seeds": [0, 1, 2]}, "must be a multiple of them"),
        ({"encoder_seeds": [1, 1], "seeds": [0, 1]}, "expected different numbers"),
    ],
)
def test_wrong_fits_are_refused(changes, message):
    raw = {"corpora": {"demo": {"root": "data/demo"}}, "fusions": {"ca": {}}, **changes}
    assert any(message in text for text in checked(raw)[1])
