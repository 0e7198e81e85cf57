"""The whole way of RECOLA, Fatigue and own clips: from the raw tree to tables.

Every score is computed here again from the run's predictions and the raw annotation files, with
none of the package's readers, delays, protocols or units.
"""

import json

import numpy as np
import pandas as pd
import pytest

import corpus_studies as studies
from avfusion.layout import Layout
from miniatures import fatigue, own, recola

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


def lay(copy):
    return Layout(copy.folder / "results")


def scores(copy, entry):
    table = pd.read_parquet(lay(copy).scores(entry) / "scores.parquet")
    return table[table["partition"] == "test"].set_index(["protocol", "fusion", "target"])


def met(copy, entry, fusion, target, video, time_s, delay_s):
    """What a run says of the stimulus that a rating at `time_s` speaks of."""
    traces = pd.read_parquet(lay(copy).run(entry, fusion, 0) / "traces.parquet")
    own_rows = traces[traces["video"] == video].sort_values("time_s")
    return np.interp(time_s - delay_s, own_rows["time_s"], own_rows[target])


def ccc(p, g):
    gap = (p.mean() - g.mean()) ** 2
    return 2 * ((p - p.mean()) * (g - g.mean())).mean() / (p.var() + g.var() + gap)


def pairs(study, copy, fusion, target):
    """Prediction and raw rating of every test video, at the raw file's instants."""
    entry, videos, delay_s = HELD[study]
    for video, raw in videos.items():
        time_s, gold = RAW[study](studies.tree(study, copy.folder), raw, target)
        yield time_s, met(copy, entry, fusion, target, video, time_s, delay_s[target]), gold


@pytest.mark.parametrize("study", ["affwild2", "recola", "fatigue", "own"])
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


@pytest.mark.parametrize("fusion", ["concat", "ca"])
@pytest.mark.parametrize("target", ["valence", "arousal"])
def test_recola_by_recording_is_the_mean_at_every_tenth_row(finished, target, fusion):
    copy = finished("recola")
    each = [ccc(p[::10], g[::10]) for _, p, g in pairs("recola", copy, fusion, target)]
    row = scores(copy, "recola").loc["avec2018", fusion, target]
    assert row["ccc"] == pytest.approx(np.mean(each), abs=1e-6)
    assert row["frames"] == 2 * 50


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


@pytest.mark.parametrize("fusion", ["concat", "ca"])
@pytest.mark.parametrize(("entry", "subject"), studies.FOLDS.items())
def test_fatigue_is_scored_in_levels_of_zero_to_ten(finished, entry, subject, fusion):
    copy = finished("fatigue")
    videos = [v for v, (who, _) in fatigue.SEGMENTS.items() if who == subject]
    found = []
    for video in videos:
        time_s, level = studies.fatigue_rows(studies.tree("fatigue", copy.folder), video)
        name = video.replace("/", "__").rpartition(".")[0]
        found.append((met(copy, entry, fusion, "fatigue", name, time_s, 0.0).clip(0, 10), level))
    p, g = map(np.concatenate, zip(*found, strict=True))
    row = scores(copy, entry).loc["pooled", fusion, "fatigue"]
    assert row["mae"] == pytest.approx(np.abs(p - g).mean(), abs=1e-6)
    assert row["rmse"] == pytest.approx(np.sqrt(((p - g) ** 2).mean()), abs=1e-6)
    assert row["frames"] == len(g)
    assert row["videos"] == len(videos)
    assert g.max() > 1, "in levels, not in shares of ten"


def test_each_fold_of_fatigue_tests_one_subject_and_the_pages_hold_their_sums(finished):
    copy = finished("fatigue")
    tested = {}
    for entry in studies.FOLDS:
        manifest = pd.read_parquet(lay(copy).manifest(entry))
        assert manifest.groupby("subject")["partition"].nunique().eq(1).all()
        tested[entry] = set(manifest.loc[manifest["partition"] == "test", "subject"])
    assert tested == {entry: {who} for entry, who in studies.FOLDS.items()}
    folds = pd.read_csv(copy.folder / "results/tables/folds.csv")
    rows = folds[(folds["table"] == "fusions") & (folds["target"] == "fatigue")]
    assert set(rows["fusion"]) == {"concat", "ca"}
    assert set(rows["folds"]) == {2}
    for row in rows.itertuples():
        files = [lay(copy).scores(entry) / "sums.parquet" for entry in studies.FOLDS]
        sums = pd.concat(map(pd.read_parquet, files))
        sums = sums[(sums["partition"] == "test") & (sums["protocol"] == "pooled")]
        sums = sums[sums["fusion"] == row.fusion]
        n, p, g, pp, gg, pg = sums[["n", "p", "g", "pp", "gg", "pg"]].sum()
        whole = 2 * (pg - p * g / n) / (pp - p * p / n + gg - g * g / n + (p - g) ** 2 / n)
        assert row.pooled == pytest.approx(whole, abs=1e-6)


def test_a_video_is_read_once_for_all_folds(finished):
    copy = finished("fatigue")
    first, second = (lay(copy).media(entry) / "s01_v1/logmel.npy" for entry in studies.FOLDS)
    assert first.samefile(second)


def test_a_film_without_sound_is_scored_all_the_same(finished):
    copy = finished("fatigue")
    index = pd.read_parquet(lay(copy).media("fold1") / "index.parquet").set_index("video")
    assert not index.loc["s03_v1", "audio"]
    traces = pd.read_parquet(lay(copy).run("fold1", "ca", 0) / "traces.parquet")
    assert np.isfinite(traces.loc[traces["video"] == "s03_v1", "fatigue"]).all()


def test_the_delay_is_looked_for_where_it_is_asked_for_and_leaves_the_study_as_it_is(finished):
    copy = finished("recola")
    said = copy.snakemake("--cores", "1", *OPTIONS, "--", "delays")
    found = pd.read_csv(lay(copy).delays("recola"))
    assert found["delay_s"].max() == 10
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


def test_the_table_of_fatigue_says_by_how_many_levels_it_is_off(finished):
    copy = finished("fatigue")
    table = pd.read_csv(copy.folder / "results/tables/scores.csv")
    page = (copy.folder / "results/tables/scores.md").read_text()
    for entry in studies.FOLDS:
        own = table[(table["corpus"] == entry) & (table["protocol"] == "pooled")]
        for fusion in ("concat", "ca"):
            row = own[(own["fusion"] == fusion) & (own["target"] == "fatigue")].iloc[0]
            scored = scores(copy, entry).loc["pooled", fusion, "fatigue"]
            assert row["mae"] == pytest.approx(scored["mae"], abs=1e-5)
            assert f"{fusion} {scored['mae']:.2f}" in page
    assert "Mean absolute error on the scale of 0 to 10: " in page
