"""Runs on people: from training to the tables."""

import numpy as np
import pandas as pd
import pytest

from avfusion.commands.trace import _seeds as printed
from avfusion.config.baseline import with_ridge
from avfusion.errors import TrainError
from avfusion.evaluation.score import score_corpus
from avfusion.evaluation.verification_estimates import AVERAGE
from avfusion.layout import Layout
from avfusion.lineage.tables import corpus_sources
from avfusion.lineage.trace import _seeds
from avfusion.metrics.verification import as_norm, eer
from avfusion.report import write
from avfusion.runs.train import train_run, write_traces
from avfusion.runs.verification import MOST, pairs_of
from support.synthetic_people import PEOPLE, TAKES, study, write_people


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    layout, plan = Layout(tmp_path_factory.mktemp("met")), with_ridge(study())
    write_people(layout)
    for fusion in plan.fusions:
        for seed in plan.seeds:
            train_run(plan.run_settings("met", fusion, seed), layout)
    score_corpus("met", plan.score_settings("met"), layout)
    write(plan, layout)
    return layout


def scores(layout: Layout, **place) -> pd.DataFrame:
    rows = pd.read_parquet(layout.scores("met") / "scores.parquet")
    place = {"condition": "clean", "norm": "cosine", "list": "test"} | place
    for name, value in place.items():
        rows = rows[rows[name] == value]
    return rows.set_index(["fusion", "seed"])


@pytest.mark.slow
def test_embeddings_are_of_videos_and_of_the_people_of_train(met):
    table = pd.read_parquet(met.run("met", "concat", 0) / "embeddings.parquet")
    people = table[table["kind"] == "person"]
    assert len(people) == PEOPLE["train"]
    videos = table[(table["kind"] == "video") & (table["condition"] == "clean")]
    assert len(videos) == TAKES * (PEOPLE["validation"] + PEOPLE["test"])
    again = met.run("met", "concat", 0)
    write_traces(again, met)
    assert pd.read_parquet(again / "embeddings.parquet").equals(table)


@pytest.mark.slow
def test_scores_are_cosines_of_the_embeddings(met):
    table = pd.read_parquet(met.run("met", "video", 1) / "embeddings.parquet")
    columns = [name for name in table if name[0] == "e" and name[1:].isdigit()]
    clean = table[(table["condition"] == "clean") & (table["kind"] == "video")]
    rows = clean.set_index("name")[columns].astype(float)
    rows = rows.div(np.sqrt((rows**2).sum(axis=1)), axis=0).fillna(0)
    trials = pd.read_parquet(met.scores("met") / "trials.parquet")
    assert set(trials["partition"]) == {"validation", "test"}
    mine = trials.query("fusion == 'video' and seed == 1 and condition == 'clean'")
    mine = mine[mine["list"] == "test"]
    expected = (rows.loc[mine["first"]].to_numpy() * rows.loc[mine["second"]].to_numpy()).sum(1)
    np.testing.assert_allclose(mine["cosine"], expected, atol=1e-5)
    people = table[table["kind"] == "person"][columns].to_numpy(float)
    people = people / np.linalg.norm(people, axis=1, keepdims=True)
    names = sorted({*mine["first"], *mine["second"]})
    known = rows.loc[names].to_numpy() @ people.T
    at = {name: i for i, name in enumerate(names)}
    kept = mine[~(mine["first"].eq("p49_3") | mine["second"].eq("p49_3"))]
    sides = kept["first"].map(at).to_numpy(), kept["second"].map(at).to_numpy()
    found = as_norm(kept["cosine"].to_numpy(), *sides, known, 300)
    np.testing.assert_allclose(kept["as_norm"], found, atol=1e-3)
    listed = scores(met).loc[("video", 1), "eer"]
    assert float(eer(mine["cosine"].to_numpy(), mine["same"].to_numpy(bool))) == listed


@pytest.mark.slow
def test_people_in_the_features_are_told_apart(met):
    found = scores(met)["eer"]
    assert (found < 0.35).all()  # chance: 0.5
    assert AVERAGE in found.index.get_level_values("fusion")
    assert "ridge" in found.index.get_level_values("fusion")


@pytest.mark.slow
def test_removing_a_modality_harms_only_what_reads_it(met):
    clean, deaf, blind = (
        scores(met, condition=c)["eer"] for c in ("clean", "no_audio", "no_video")
    )
    pd.testing.assert_series_equal(clean["video"], deaf["video"])
    pd.testing.assert_series_equal(clean["audio"], blind["audio"])
    assert deaf["audio"].eq(0.5).all()  # each cosine is 0
    assert (deaf["concat"] > clean["concat"]).all()


@pytest.mark.slow
def test_a_video_without_the_modality_is_listed(met):
    """And no other, though conditions remove modalities from all."""
    missing = pd.read_csv(met.scores("met") / "missing.csv").set_index("video")["reason"]
    assert set(missing.index) == {"p49_0", "p49_3"}  # all clips of p49_0 are absent by chance
    assert missing["p49_0"].startswith("what audio reads is absent")
    assert missing["p49_3"].startswith("what video reads is absent")
    assert "p49_3 (test): predict: what video reads" in met.page.read_text()


@pytest.mark.slow
def test_tables_and_page_have_intervals_and_differences(met):
    table = pd.read_csv(met.tables / "verification.csv")
    assert set(table["measure"]) == {"eer", "min_dcf_0.05", "min_dcf_0.01"}
    assert (table["low"] <= table["mean"]).all()
    assert (table["mean"] <= table["high"]).all()
    pairs = pd.read_csv(met.tables / "verification_pairs.csv")
    assert set(pairs["other"]) == {"audio", "video"}
    one = pairs.query(
        "fusion == 'concat' and other == 'audio' and measure == 'eer' and list == 'test' "
        "and condition == 'clean' and norm == 'cosine'"
    ).iloc[0]
    found = scores(met)["eer"].groupby("fusion").mean()
    assert one["difference"] == pytest.approx(found["concat"] - found["audio"], abs=1e-6)
    page = met.page.read_text()
    assert "Person verification" in page
    assert "tells people apart better" in page


def test_the_train_score_is_of_two_videos_of_many_people():
    """Not of all videos of the first few people."""
    label = np.repeat(np.arange(1_150), 120)
    first, second, same = pairs_of(label).T
    used = np.unique(np.concatenate([first, second]))
    assert len(used) == MOST
    assert (np.bincount(label[used])[: MOST // 2] == 2).all()
    assert same.sum() == MOST // 2
    few = np.array([2, 0, 0, 2, 1, 0])
    assert len(pairs_of(few)) == 15
    assert pairs_of(few)[:, 2].sum() == 4


@pytest.mark.slow
def test_a_corpus_without_trials_is_refused(tmp_path):
    layout, plan = Layout(tmp_path), study()
    write_people(layout)
    layout.trials("met").unlink()
    with pytest.raises(TrainError, match="has no trials"):
        train_run(plan.run_settings("met", "concat", 0), layout)


@pytest.mark.slow
def test_a_row_of_errors_is_traced_to_its_seeds_and_trials(met):
    path = met.tables / "verification.csv"
    table = pd.read_csv(path)
    of = (table["fusion"] == "concat") & (table["measure"] == "eer") & (table["list"] == "test")
    of &= (table["condition"] == "clean") & (table["norm"] == "cosine")
    cells = table[of].to_dict("records")[0]
    rows = _seeds(cells, met)
    assert [row["eer"] for row in rows] == scores(met).loc["concat", "eer"].tolist()
    assert np.mean([row["eer"] for row in rows]) == pytest.approx(cells["mean"], abs=1e-5)
    assert met.trials("met") in corpus_sources("met", with_ridge(study()), met)
    assert printed({"row": cells, "seeds": rows})[0].startswith(f"seed 0: eer {rows[0]['eer']:.6f}")
