"""Test studies of RECOLA and own clips from the raw files to the tables.

Every score is computed here again from the run's predictions and the raw annotation files, with
none of the package's readers, delays, protocols or units.
"""

import json

import numpy as np
import pandas as pd
import pytest

from support import corpus_studies as studies
from support.corpus_studies import ccc, lay, met, scores
from support.miniatures import own, recola

pytestmark = pytest.mark.slow
HELD = {  # study -> (entry, a test video's name in the study and in the tree, delay of a target)
    "recola": ("recola", {"dev_1": "dev_1", "dev_2": "dev_2"}, recola.OPTIONS["delay_s"]),
    "own": (
        "my_clips",
        {"clips__dan": "clips/dan.mp4", "clips__eve": "clips/eve.mp4"},
        own.OPTIONS["delay_s"],
    ),
}
RAW = {"recola": studies.recola_rows, "own": studies.own_rows}
OPTIONS = ("--configfile", "mini.yaml")


def pairs(study, copy, fusion, target):
    """Prediction and raw rating of every test video, at the raw file's instants."""
    entry, videos, delay_s = HELD[study]
    for video, raw in videos.items():
        time_s, gold = RAW[study](studies.tree(study, copy.folder), raw, target)
        yield time_s, met(copy, entry, fusion, target, video, time_s, delay_s[target]), gold


@pytest.mark.parametrize("study", studies.cases("affwild2", "recola", "fatigue", "own"))
def test_a_finished_study_has_its_tables_and_page_and_nothing_left_to_do(finished, study):
    copy = finished(study)
    for name in ("tables/scores.csv", "tables/comparisons.csv", "report.html"):
        assert (copy.folder / "results" / name).stat().st_size > 0
    assert copy.jobs("all", options=OPTIONS) == {}


@pytest.mark.parametrize("fusion", ["concat", "ca"])
@pytest.mark.parametrize("target", ["valence", "arousal"])
@pytest.mark.parametrize("study", ["recola", "own"])
def test_a_pooled_score_is_that_of_raw_ratings_and_predictions_a_delay_before(
    finished, study, target, fusion
):
    copy = finished(study)
    found = [(np.clip(p, -1, 1), g) for _, p, g in pairs(study, copy, fusion, target)]
    p, g = map(np.concatenate, zip(*found, strict=True))
    row = scores(copy, HELD[study][0]).loc["pooled", fusion, target]
    assert row["frames"] == len(g)
    assert row["ccc"] == pytest.approx(ccc(p, g), abs=1e-6)
    assert row["mae"] == pytest.approx(np.abs(p - g).mean(), abs=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("fusion", ["concat", "ca"])
@pytest.mark.parametrize("target", ["valence", "arousal"])
def test_recola_by_recording_is_the_mean_at_every_tenth_row(finished, target, fusion):
    copy = finished("recola")
    each = [ccc(p[::10], g[::10]) for _, p, g in pairs("recola", copy, fusion, target)]
    row = scores(copy, "recola").loc["avec2018", fusion, target]
    assert row["ccc"] == pytest.approx(np.mean(each), abs=1e-6)
    assert row["frames"] == 2 * 50


@pytest.mark.long
@pytest.mark.parametrize("fusion", ["concat", "ca"])
@pytest.mark.parametrize("target", ["valence", "arousal"])
def test_avecs_chain_has_the_moments_of_train_and_scores_test_as_it_stands_in_the_file(
    finished, target, fusion
):
    from scipy.ndimage import median_filter

    copy = finished("recola")
    rules = json.loads((lay(copy).scores("recola") / "protocols.json").read_text())
    chain = rules["avec2016_post"]["fitted"][f"{fusion}/seed0"][target]

    def behind(p, steps=("bias", "scale", "shift_s")):
        width = round(chain["median_s"] * recola.HZ) | 1
        p = median_filter(p, width, mode="nearest") if width > 1 else p
        p = p + chain["bias"] * ("bias" in steps)
        if "scale" in steps:
            p = chain["middle"] + (p - chain["middle"]) * chain["scale"]
        late = round(chain["shift_s"] * recola.HZ) if "shift_s" in steps else 0
        return np.concatenate([np.full(late, p[0]), p[: len(p) - late]])

    found = [(behind(p), g) for _, p, g in pairs("recola", copy, fusion, target)]
    p, g = map(np.concatenate, zip(*found, strict=True))
    row = scores(copy, "recola").loc["avec2016_post", fusion, target]
    assert row["ccc"] == pytest.approx(ccc(p, g), abs=1e-6)

    train = []
    for video in ("train_1", "train_2"):  # train_3 stops training: it is not train
        time_s, gold = studies.recola_rows(studies.tree("recola", copy.folder), video, target)
        train.append((met(copy, "recola", fusion, target, video, time_s, 2.4), gold))
    gold = np.concatenate([g for _, g in train])
    if chain["bias"]:
        told = np.concatenate([behind(p, steps=("bias",)) for p, _ in train])
        assert told.mean() == pytest.approx(gold.mean(), abs=1e-6)
    if chain["scale"] != 1:
        told = np.concatenate([behind(p, steps=("bias", "scale")) for p, _ in train])
        assert told.std() == pytest.approx(gold.std(), abs=1e-6)
    plain = ccc(np.concatenate([p for p, _ in train]), gold)
    assert ccc(np.concatenate([behind(p) for p, _ in train]), gold) >= plain


@pytest.mark.long
def test_the_delay_is_looked_for_where_it_is_asked_for_and_leaves_the_study_as_it_is(finished):
    copy = finished("recola")
    said = copy.snakemake("--cores", "1", *OPTIONS, "--", "delays")
    found = pd.read_csv(lay(copy).delays("recola"))
    root = studies.tree("recola", copy.folder)
    of_train = [name for name in studies.RECORDINGS if name.startswith("train")]
    rated = [studies.recola_rows(root, name, "valence")[0] for name in of_train]
    lasting_s = np.median([times_s[-1] - times_s[0] for times_s in rated])
    assert found["delay_s"].max() == pytest.approx(min(10, lasting_s / 3), abs=0.041)
    for target, rows in found.groupby("target"):
        best = rows.loc[rows["ccc"].idxmax()]
        assert f"{target}: best at {best['delay_s']:g} s" in said
        assert rows["best"].sum() == 1
    assert copy.jobs("delays", options=OPTIONS) == {}
    assert copy.jobs("all", options=OPTIONS) == {}


def test_a_broken_film_is_missing_by_its_path_in_the_corpus_and_nothing_else_is(finished):
    copy = finished("own")
    missing = pd.read_csv(lay(copy).scores("my_clips") / "missing.csv")
    (row,) = missing.to_dict("records")
    assert (row["video"], row["partition"], row["stage"]) == ("clips__fay", "train", "media")
    assert row["reason"].startswith(studies.BROKEN)
    assert "clips__fay" in (copy.folder / "results/report.html").read_text()
