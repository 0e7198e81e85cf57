"""Test a study of the miniature of IEMOCAP's shared arrays, which has no media."""

import pandas as pd
import pytest
import yaml

from avfusion.features.store import FeatureStore
from avfusion.layout import Layout
from support.miniatures import iemocap_arrays as mini

pytestmark = [pytest.mark.slow, pytest.mark.long]

THREE = {"modalities": ["audio", "video", "text"], "width": 16, "heads": 2}
FUSIONS = {"self_transformer": THREE, "cross_transformer": THREE}
FOLDS = (1, 2)


def entry(fold):
    own = {"is": "iemocap_arrays", "root": "data/arrays", "task": "classes", "shards": 1}
    return {**own, "options": {**mini.OPTIONS, "fold": fold}}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two fusions of three modalities on two folds, two seeds each, run by the workflow."""
    from support.scratch import Copy

    copy = Copy(tmp_path_factory.mktemp("flow") / "study")
    mini.build(copy.folder / "data" / "arrays")
    config = {
        "corpora": {f"fold{k}": entry(k) for k in FOLDS},
        "features": {
            "audio": ["arrays_mfcc", "arrays_prosody"],
            "video": ["arrays_video"],
            "text": ["arrays_words"],
        },
        "windows": {"clip_s": 0.3, "hop_s": 0.3, "clips": 5},
        "fusions": FUSIONS,
        "seeds": [0, 1],
        "train": {"epochs": 8, "hidden": 16, "lr": 0.01, "dropout": 0.1, "baseline": "none"},
        "statistics": {"draws": 200},
    }
    (copy.folder / "mini.yaml").write_text(yaml.safe_dump(config))
    copy.said = copy.snakemake("--cores", "2", "--configfile", "mini.yaml", "--", "all")
    return copy


def layout(study):
    return Layout(study.folder / "results")


def table(study, name):
    return pd.read_csv(layout(study).tables / f"{name}.csv")


def test_the_classes_that_the_arrays_hold_are_learnt_on_each_fold(study):
    found = table(study, "classes").set_index(["corpus", "fusion", "measure"])["mean"]
    for k in FOLDS:
        for fusion in FUSIONS:
            assert found[f"fold{k}", fusion, "ua"] > 0.4  # chance: 1 / 7
            assert found[f"fold{k}", fusion, "wa"] > 0.4


def test_folds_are_pooled_over_different_utterances(study):
    found = table(study, "folds").query("table == 'fusions' and target == 'mean'")
    tested = [pd.read_parquet(layout(study).manifest(f"fold{k}")) for k in FOLDS]
    tested = [set(own["video"][own["partition"] == "test"]) for own in tested]
    assert not set.intersection(*tested)
    assert set(found["fusion"]) == {*FUSIONS, "ridge"}
    assert set(found["videos"]) == {sum(map(len, tested))}
    pairs = table(study, "folds").query("table == 'pairs'").to_dict("records")
    assert [pair["runs"] for pair in pairs] == [len(FOLDS) * 2] * 3


def test_whoever_reads_the_folds_is_warned_that_speakers_are_shared(study):
    assert "all 10 speakers are in every partition" in study.said
    text = (layout(study).tables / "folds.md").read_text()
    assert "Warning: iemocap_arrays tests 10 of 10 speakers" in text


def test_features_are_the_steps_of_the_arrays_over_each_clips_time(study):
    number, code = 7, mini.codes()[7]
    own = mini.utterance(number, code)
    steps = int(own["audio_seqN"])
    store = FeatureStore.open(layout(study).features("fold1", "arrays_mfcc") / "index.parquet")
    found = store.load(f"utterance_{number:05d}")
    assert len(found.rows) == int(steps * 0.01 / 0.3 + 1e-6)
    for row, end_s in zip(found.rows, found.times_s, strict=True):
        last = round(end_s / 0.01)
        expected = own["audio_mfcc"][last - 30 : last].mean(0)
        assert row == pytest.approx(expected, abs=2e-3)


def test_an_utterance_without_pictures_is_kept_and_masked(study):
    bare = [f"utterance_{number:05d}" for number in mini.BARE]
    index = pd.read_parquet(layout(study).features("fold1", "arrays_video") / "index.parquet")
    index = index.set_index("video")
    assert (index.loc[bare, "missing_share"] == 1).all()
    assert index["missing_share"].sum() == len(bare)
    assert pd.read_csv(layout(study).scores("fold1") / "missing.csv").empty


def test_both_folds_share_the_features_of_an_utterance(study):
    names = ("arrays_mfcc", "arrays_prosody", "arrays_video", "arrays_words")
    for name in names:
        one, other = (layout(study).features(f"fold{k}", name) for k in FOLDS)
        assert (one / "utterance_00000.npy").samefile(other / "utterance_00000.npy")


def test_a_second_call_has_nothing_to_do(study):
    assert study.jobs("all", ("--configfile", "mini.yaml")) == {}
