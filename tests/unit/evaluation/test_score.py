"""Scoring: every run, video and protocol is accounted for, and traces of other data are refused."""

import json
from pathlib import Path

import audmetric
import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import ScoreSettings
from avfusion.errors import CorpusError, DamagedError
from avfusion.evaluation.score import score_corpus
from avfusion.io.stamped import write_sealed
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS, pooled_ccc
from support.synthetic_results import DIMENSIONS, Plan, rewrite_traces, write_results

PLAN = Plan(errors={"good": 0.1, "poor": 0.4}, seeds=(0, 1), seconds=12.0)


@pytest.fixture
def place(tmp_path, monkeypatch) -> tuple[Layout, ScoreSettings]:
    """A results folder of two fusions and two seeds, and the settings to score it."""
    monkeypatch.chdir(Path(__file__).parents[3])
    layout = Layout(tmp_path)
    return layout, write_results(layout, PLAN).score_settings("demo")


def scores_of(layout: Layout) -> pd.DataFrame:
    return pd.read_parquet(layout.scores("demo") / "scores.parquet")


def run_rows(scores: pd.DataFrame, fusion: str, seed: int) -> pd.DataFrame:
    return scores[(scores["fusion"] == fusion) & (scores["seed"] == seed)]


def rewrite(layout: Layout, change, fusion: str = "good", seed: int = 1) -> None:
    path = layout.run("demo", fusion, seed) / "traces.parquet"
    rewrite_traces(path, change)


def test_every_run_protocol_partition_and_target_has_one_row(place):
    layout, settings = place
    score_corpus("demo", settings, layout)
    scores = scores_of(layout)
    keys = ["fusion", "seed", "partition", "protocol", "target"]
    assert not scores.duplicated(keys).any()
    assert len(scores) == 2 * 2 * 3 * len(settings.protocols) * 3
    assert scores["ccc"].notna().all()


def test_the_pooled_score_is_audmetric_on_the_rated_frames(place):
    """Redone from traces and gold by another library, with the delay applied here by hand."""
    layout, settings = place
    score_corpus("demo", settings, layout)
    traces = pd.read_parquet(layout.run("demo", "good", 0) / "traces.parquet")
    gold = pd.read_parquet(layout.gold("demo")).dropna()
    for d in DIMENSIONS:
        p, g = [], []
        for video, rows in traces[traces["partition"] == "test"].groupby("video"):
            rated = gold[gold["video"] == video]
            p.append(np.interp(rated["time_s"] - PLAN.delay_s[d], rows["time_s"], rows[d]))
            g.append(rated[d].to_numpy())
        expected = audmetric.concordance_cc(np.concatenate(g), np.clip(np.concatenate(p), -1, 1))
        row = run_rows(scores_of(layout), "good", 0).query(
            "partition == 'test' and protocol == 'pooled' and target == @d"
        )
        assert row["ccc"].item() == pytest.approx(expected, abs=1e-9)
        assert row["frames"].item() == len(np.concatenate(g))


def test_scores_follow_from_the_sums_alone(place):
    layout, settings = place
    score_corpus("demo", settings, layout)
    sums = pd.read_parquet(layout.scores("demo") / "sums.parquet")
    keys = ["fusion", "seed", "partition", "target"]
    pooled = sums[sums["protocol"] == "pooled"].groupby(keys)[list(SUMS)].sum()
    scores = scores_of(layout).query("protocol == 'pooled'").set_index(keys)["ccc"]
    assert scores.loc[pooled.index].to_numpy() == pytest.approx(pooled_ccc(pooled.to_numpy()))


def test_a_video_that_failed_is_counted_and_named_with_its_stage(place):
    layout, settings = place
    score_corpus("demo", settings, layout)
    rows = scores_of(layout).query("partition == 'test'")
    assert set(rows["missing"]) == {1}
    assert set(rows["videos"]) == {11}
    missing = pd.read_csv(layout.scores("demo") / "missing.csv").set_index("video")
    assert missing.loc["test_11", "stage"] == "media"
    assert "no video stream" in missing.loc["test_11", "reason"]


def test_a_run_that_is_not_there_is_a_row_with_a_note(place):
    layout, settings = place
    (layout.run("demo", "good", 1) / "traces.parquet").unlink()
    score_corpus("demo", settings, layout)
    rows = run_rows(scores_of(layout), "good", 1)
    assert rows["ccc"].isna().all()
    assert rows["note"].str.contains("avf train demo good --seed 1").all()
    assert (rows["missing"] == rows["partition"].map(PLAN.videos)).all()
    assert run_rows(scores_of(layout), "good", 0)["ccc"].notna().all()


def test_predictions_that_are_no_numbers_are_a_note_and_no_score(place):
    layout, settings = place
    rewrite(layout, lambda t: t.assign(valence=t["valence"].where(t.index != 5)))
    score_corpus("demo", settings, layout)
    rows = run_rows(scores_of(layout), "good", 1)
    assert rows["ccc"].isna().all()
    assert rows["note"].str.contains("not finite").all()


def test_a_video_without_a_trace_is_missing_in_that_run(place):
    layout, settings = place
    rewrite(layout, lambda t: t[t["video"] != "test_03"])
    score_corpus("demo", settings, layout)
    rows = scores_of(layout).query("partition == 'test'")
    assert set(run_rows(rows, "good", 1)["missing"]) == {2}
    assert set(run_rows(rows, "good", 0)["missing"]) == {1}
    missing = pd.read_csv(layout.scores("demo") / "missing.csv").set_index("video")
    assert "good seed 1" in missing.loc["test_03", "reason"]


def test_a_video_without_ratings_is_missing_under_every_protocol(place):
    """Also where unrated frames count as (0, 0): an unrated video must not raise the score."""
    layout, settings = place
    gold = pd.read_parquet(layout.gold("demo"))
    gold.loc[gold["video"] == "test_00", list(DIMENSIONS)] = np.nan
    gold.to_parquet(layout.gold("demo"), index=False)
    score_corpus("demo", settings, layout)
    rows = scores_of(layout).query("partition == 'test'")
    assert set(rows["missing"]) == {2}
    missing = pd.read_csv(layout.scores("demo") / "missing.csv").set_index("video")
    assert missing.loc["test_00", "stage"] == "gold"


def test_traces_of_videos_outside_the_manifest_are_refused(place):
    layout, settings = place
    rewrite(layout, lambda t: t.assign(video=t["video"].replace("test_02", "stranger")))
    with pytest.raises(CorpusError, match=r"'stranger'.*avf train demo good --seed 1"):
        score_corpus("demo", settings, layout)


def test_traces_of_other_data_are_refused(place):
    layout, settings = place
    path = layout.run("demo", "poor", 0) / "settings.json"
    write_sealed(path, json.loads(path.read_text()) | {"data_hash": "f" * 64})
    with pytest.raises(CorpusError, match=r"made from data ffffffffffff.*avf train demo poor"):
        score_corpus("demo", settings, layout)


def test_traces_that_nobody_vouches_for_are_refused(place):
    layout, settings = place
    (layout.run("demo", "poor", 0) / "settings.json").unlink()
    with pytest.raises(DamagedError, match=r"settings\.json"):
        score_corpus("demo", settings, layout)


def test_a_corpus_that_was_not_verified_names_the_command(place):
    layout, settings = place
    layout.card("demo").unlink()
    with pytest.raises(CorpusError, match="avf verify demo"):
        score_corpus("demo", settings, layout)


def test_scoring_twice_gives_the_same_numbers_and_no_leftovers(place):
    layout, settings = place
    score_corpus("demo", settings, layout)
    first = scores_of(layout)
    score_corpus("demo", settings, layout)
    pd.testing.assert_frame_equal(first, scores_of(layout))
    names = {path.name for path in layout.scores("demo").iterdir()}
    assert names == {"scores.parquet", "sums.parquet", "missing.csv", "protocols.json"}
