"""Test a study of IEMOCAP's miniature: classes, words, folds that leave a session out."""

import pandas as pd
import pytest

from avfusion.corpora.iemocap.release import CLASSES
from avfusion.layout import Layout
from support import corpus_studies as studies
from support.miniatures import verify

pytestmark = [pytest.mark.slow, pytest.mark.long]  # test_folds has the tables of folds in CI

FUSIONS = studies.STUDIES["iemocap"]["fusions"]
SEEDS = studies.STUDIES["iemocap"]["seeds"]


@pytest.fixture(scope="module")
def study(finished):
    """Two fusions of three modalities on two folds, two seeds each, run by the workflow."""
    return finished("iemocap")


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
    assert set(found["corpus"]) == {"session1", "session2", "by_session"}
    names = {"ua", "wa", "f1", *(f"recall_{name}" for name in CLASSES[7])}
    for (_, fusion), rows in found.groupby(["corpus", "fusion"]):
        assert set(rows["measure"]) == names
        assert fusion in {*FUSIONS, "ridge"}
        assert (rows["seeds"] == len(SEEDS)).all()
        by = rows.set_index("measure")["mean"]
        recalls = by[[f"recall_{name}" for name in CLASSES[7]]].dropna()
        assert by["ua"] == pytest.approx(recalls.mean(), abs=1e-4)


def test_folds_are_pooled_and_paired_over_folds_and_seeds(study):
    found = table(study, "folds")
    pooled = found.query("table == 'fusions' and target == 'mean'").set_index("fusion")
    assert set(pooled.index) == {*FUSIONS, "ridge"}
    assert (pooled["folds"] == 2).all()
    assert (pooled["corpus"] == "by_session").all()
    each = table(study, "classes").query("measure == 'ua'")
    both = each[each["corpus"] != "by_session"].groupby("fusion")["videos"].sum()
    assert pooled["videos"].to_dict() == both.to_dict()
    whole = each[each["corpus"] == "by_session"].set_index("fusion")["mean"]
    assert whole.to_dict() == pytest.approx(pooled["pooled"].to_dict(), abs=1e-4)
    pairs = found.query("table == 'pairs'").to_dict("records")
    assert len(pairs) == 3
    assert set(FUSIONS) in [{pair["fusion"], pair["other"]} for pair in pairs]
    for pair in pairs:
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
    entry = studies.STUDIES["iemocap"]["corpora"]["session1"]
    options = {**entry["options"], "folds": "random"}
    code, checks = verify("iemocap", studies.tree("iemocap", study.folder), options, tmp_path)
    assert code == 0
    assert checks.loc["subject overlap", "verdict"] == "WARN"
    assert "in two: 01F" in checks.loc["subject overlap", "found"]
