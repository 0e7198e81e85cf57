"""Test a study of Fatigue's miniature: levels of 0 to 10, folds that leave a subject out."""

import numpy as np
import pandas as pd
import pytest

from support import corpus_studies as studies
from support.corpus_studies import lay, met, scores
from support.miniatures import fatigue

pytestmark = [pytest.mark.slow, pytest.mark.long]


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
    assert set(rows["fusion"]) == {"ridge", "concat", "ca"}
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
    first, second = (lay(copy).media(entry) / "s01_v1/sound.npy" for entry in studies.FOLDS)
    assert first.samefile(second)


def test_a_film_without_sound_is_scored_all_the_same(finished):
    copy = finished("fatigue")
    index = pd.read_parquet(lay(copy).media("fold1") / "index.parquet").set_index("video")
    assert not index.loc["s03_v1", "audio"]
    traces = pd.read_parquet(lay(copy).run("fold1", "ca", 0) / "traces.parquet")
    assert np.isfinite(traces.loc[traces["video"] == "s03_v1", "fatigue"]).all()


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
