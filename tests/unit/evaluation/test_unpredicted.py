"""A recording without a prediction stays in the score, and everything else that is NaN does not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avfusion.evaluation.score import score_corpus
from avfusion.evaluation.scored import read_scored
from avfusion.evaluation.unpredicted import filled, unpredicted
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS
from avfusion.protocols import protocol
from avfusion.rating import Rating
from support.synthetic_results import Plan, rewrite_traces, write_results

PLAN = Plan(errors={"good": 0.1, "poor": 0.4}, seeds=(0, 1), seconds=12.0)
TARGETS = ["valence", "arousal"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    layout = Layout(tmp_path)
    return layout, write_results(layout, PLAN)


def spoil(layout: Layout, video: str, value=np.nan, rows: int | None = None) -> None:
    """Set the predictions of a video of good/seed1, or its first rows, to a value."""

    def change(traces: pd.DataFrame) -> pd.DataFrame:
        at = traces.index[traces["video"] == video][:rows]
        traces.loc[at, TARGETS] = value
        return traces

    rewrite_traces(layout.run("demo", "good", 1) / "traces.parquet", change)


def first_video(layout: Layout, partition: str = "test") -> str:
    manifest = pd.read_parquet(layout.manifest("demo"))
    return manifest.loc[manifest["partition"] == partition, "video"].iloc[0]


def test_a_video_without_a_prediction_is_scored_as_the_middle_and_listed(place):
    layout, study = place
    video = first_video(layout)
    spoil(layout, video)
    score_corpus("demo", study.score_settings("demo"), layout)
    scores = pd.read_parquet(layout.scores("demo") / "scores.parquet")
    assert (scores["note"] == "").all()
    counts = scores.groupby(["partition", "protocol", "target"])[["missing", "videos"]]
    assert (counts.nunique() == 1).all(axis=None)  # as in the other runs
    sums = pd.read_parquet(layout.scores("demo") / "sums.parquet")
    at = sums.query("video == @video and fusion == 'good' and protocol == 'pooled'")
    assert (at.query("seed == 1")[["p", "pp", "pg"]] == 0).all(axis=None)
    same = at.query("seed == 0")["n"].to_numpy()
    assert (at.query("seed == 1")["n"].to_numpy() == same).all()
    missing = pd.read_csv(layout.scores("demo") / "missing.csv")
    (row,) = missing[missing["video"] == video].to_dict("records")
    assert row["stage"] == "predict"
    assert "what good reads is absent in the whole video; scored as the middle" in row["reason"]


def test_it_costs_what_a_constant_costs_and_not_less(place):
    """Leaving out what is difficult does not raise a score."""
    layout, study = place
    settings = study.score_settings("demo")
    score_corpus("demo", settings, layout)

    def ccc() -> float:
        table = pd.read_parquet(layout.scores("demo") / "scores.parquet")
        key = "fusion == 'good' and seed == 1 and partition == 'test' and protocol == 'pooled'"
        return table.query(f"{key} and target == 'mean'")["ccc"].item()

    before = ccc()
    spoil(layout, first_video(layout))
    score_corpus("demo", settings, layout)
    without = ccc()
    spoil(layout, first_video(layout), value=0.0)
    score_corpus("demo", settings, layout)
    assert without == pytest.approx(ccc(), abs=1e-12)
    assert without < before


def test_tables_do_not_count_it_as_missing(place):
    layout, study = place
    spoil(layout, first_video(layout))
    score_corpus("demo", study.score_settings("demo"), layout)
    rule = protocol.load(study.headline)
    scored = read_scored("demo", study, layout, rule, "test")
    assert first_video(layout) not in scored.missing
    assert first_video(layout) in scored.videos


@pytest.mark.parametrize(("value", "rows"), [(np.nan, 1), (np.inf, None)])
def test_any_other_value_that_is_not_finite_refuses_the_run(place, value, rows):
    layout, study = place
    spoil(layout, first_video(layout), value, rows)
    score_corpus("demo", study.score_settings("demo"), layout)
    scores = pd.read_parquet(layout.scores("demo") / "scores.parquet")
    run = scores[(scores["fusion"] == "good") & (scores["seed"] == 1)]
    assert run["ccc"].isna().all()
    assert run["note"].str.contains("are not finite").all()


def test_a_run_without_any_prediction_is_refused(place):
    layout, study = place
    path = layout.run("demo", "good", 1) / "traces.parquet"
    rewrite_traces(path, lambda traces: traces.assign(**dict.fromkeys(TARGETS, np.nan)))
    score_corpus("demo", study.score_settings("demo"), layout)
    sums = pd.read_parquet(layout.scores("demo") / "sums.parquet")
    assert not len(sums.query("fusion == 'good' and seed == 1"))
    assert np.isfinite(sums[list(SUMS)]).all(axis=None)


def test_only_videos_without_any_prediction_are_filled():
    rating = Rating(("pain",), 0, 10)
    nan = np.nan
    traces = pd.DataFrame({"video": list("aabbcc"), "pain": [nan, nan, 1, nan, 2, 3]})
    assert unpredicted(traces, rating) == ["a"]
    assert filled(traces, rating)["pain"].fillna(-1).tolist() == [5, 5, 1, -1, 2, 3]
    assert traces["pain"].isna().sum() == 3
