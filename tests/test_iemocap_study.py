"""The whole way on IEMOCAP's miniature: classes, words, folds that leave a session out."""

import pandas as pd
import pytest
import yaml

from avfusion.corpora.iemocap import CLASSES
from avfusion.layout import Layout
from miniatures import iemocap as mini
from miniatures import verify

pytestmark = pytest.mark.slow

SESSIONS = range(1, 4)
THREE = {"modalities": ["audio", "video", "text"], "width": 8, "heads": 2}
FUSIONS = {"self_transformer": THREE, "cross_transformer": THREE}
SEEDS = [0, 1]


def entry(folds, fold):
    options = {**mini.options(SESSIONS), "classes": 7, "folds": folds, "fold": fold}
    own = {"is": "iemocap", "root": "data/iemocap", "task": "classes", "group": f"by_{folds}"}
    return {**own, "shards": 1, "options": options}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two fusions of three modalities on two folds, two seeds each, run by the workflow."""
    from scratch import Copy

    copy = Copy(tmp_path_factory.mktemp("flow") / "study")
    mini.build(copy.folder / "data" / "iemocap", SESSIONS)
    config = {
        "corpora": {f"session{k}": entry("session", k) for k in (1, 2)},
        "features": {"audio": ["mel_cnn"], "video": ["face_expression"], "text": ["words"]},
        "encoders": {"mel_cnn": {"epochs": 1}, "words": {"epochs": 1}},
        "windows": {"clip_s": 0.32, "hop_s": 0.16, "clips": 4},
        "fusions": FUSIONS,
        "seeds": SEEDS,
        "train": {"epochs": 2, "hidden": 8, "baseline": "none"},
        "statistics": {"draws": 200},
    }
    (copy.folder / "mini.yaml").write_text(yaml.safe_dump(config))
    copy.snakemake("--cores", "2", "--configfile", "mini.yaml", "--", "all")
    return copy


def table(study, name):
    return pd.read_csv(Layout(study.folder / "results").tables / f"{name}.csv")


def test_each_fold_tests_every_turn_of_its_session_and_misses_none(study):
    for k in (1, 2):
        labels = pd.read_parquet(Layout(study.folder / "results").labels(f"session{k}"))
        rated = labels["video"].str.startswith(f"Ses0{k}").sum()
        own = table(study, "classes").query(f"corpus == 'session{k}'")
        assert set(own["videos"]) == {rated}
        scores = Layout(study.folder / "results").scores(f"session{k}")
        assert pd.read_csv(scores / "missing.csv").empty


def test_classes_have_wa_ua_f1_and_a_recall_each_by_its_name(study):
    found = table(study, "classes")
    names = {"ua", "wa", "f1", *(f"recall_{name}" for name in CLASSES[7])}
    for (_, fusion), rows in found.groupby(["corpus", "fusion"]):
        assert set(rows["measure"]) == names
        assert fusion in FUSIONS
        assert (rows["seeds"] == len(SEEDS)).all()
        by = rows.set_index("measure")["mean"]
        recalls = by[[f"recall_{name}" for name in CLASSES[7]]].dropna()
        assert by["ua"] == pytest.approx(recalls.mean(), abs=1e-4)


def test_folds_are_pooled_and_paired_over_folds_and_seeds(study):
    found = table(study, "folds")
    pooled = found.query("table == 'fusions' and target == 'mean'").set_index("fusion")
    assert set(pooled.index) == set(FUSIONS)
    assert (pooled["folds"] == 2).all()
    assert (pooled["corpus"] == "by_session").all()
    both = table(study, "classes").query("measure == 'ua'").groupby("fusion")["videos"].sum()
    assert pooled["videos"].to_dict() == both.to_dict()
    (pair,) = found.query("table == 'pairs'").to_dict("records")
    assert {pair["fusion"], pair["other"]} == set(FUSIONS)
    assert pair["runs"] == 2 * len(SEEDS)
    gap = pooled.loc[pair["fusion"], "pooled"] - pooled.loc[pair["other"], "pooled"]
    assert pair["difference"] == pytest.approx(gap, abs=1e-4)


def test_both_folds_share_the_media_that_were_read_once(study):
    media = Layout(study.folder / "results").media
    of = [sorted(media(f"session{k}").glob("*/faces.zip")) for k in (1, 2)]
    assert len(of[0]) == len(of[1]) > 30
    assert all(one.samefile(other) for one, other in zip(*of, strict=True))


def test_a_second_call_has_nothing_to_do(study):
    assert study.jobs("all", ("--configfile", "mini.yaml")) == {}


def test_random_folds_warn_that_speakers_are_shared(study, tmp_path):
    options = entry("random", 1)["options"]
    code, checks = verify("iemocap", study.folder / "data" / "iemocap", options, tmp_path)
    assert code == 0
    assert checks.loc["subject overlap", "verdict"] == "WARN"
    assert "in two: 01F" in checks.loc["subject overlap", "found"]
