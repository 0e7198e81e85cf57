"""Sums that share what follows from gold equal those that each run and video computes alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS
from avfusion.protocols import protocol
from avfusion.rating import Rating
from avfusion.robustness.sums import CaseSums
from support import large_study, plain_statistics
from support.synthetic_results import Plan, rewrite_traces

RULES = (
    *("pooled", "per_video", "smoothed", "abaw", "abaw_published_code", "avec2018"),
    "gold_rescaled",
)
DELAY_S, SCALE = Plan().delay_s, Rating()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(study, layout, gold by video) of two fusions with two seeds; one video has no prediction."""
    layout = Layout(tmp_path_factory.mktemp("large"))
    study = large_study.write(layout, fusions=2, seeds=2, videos=6, protocols=list(RULES))
    gold = pd.read_parquet(layout.gold("demo")).sort_values(["video", "time_s"])
    rewrite_traces(layout.run("demo", "audio", 0) / "traces.parquet", unpredicted)
    return study, layout, {str(video): rows for video, rows in gold.groupby("video")}


def unpredicted(table: pd.DataFrame) -> pd.DataFrame:
    values = table[["valence", "arousal"]].mask(table["video"] == "test_01")
    return table.assign(**values)


def test_scoring_has_the_sums_of_each_video_alone(made, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    study, layout, gold = made
    score_corpus("demo", study.score_settings("demo"), layout)
    found = pd.read_parquet(layout.scores("demo") / "sums.parquet")
    runs = [(fusion, seed) for fusion in study.fusions for seed in study.seeds]
    compared = 0
    for run in runs:
        traces = pd.read_parquet(layout.run("demo", *run) / "traces.parquet")
        for name, (part, table) in ((n, x) for n in RULES for x in traces.groupby("partition")):
            rule = protocol.load(name)
            plain = plain_statistics.sums(rule, table, gold, DELAY_S, SCALE)
            key = {"fusion": run[0], "seed": run[1], "partition": part, "protocol": name}
            rows = found[(found[[*key]] == pd.Series(key)).all(axis=1)]
            rows = rows.set_index(["target", "video"])[[*SUMS, "ae"]]
            assert rows.index.tolist() == list(plain)
            assert rows.to_numpy() == pytest.approx(np.array(list(plain.values())), rel=1e-12)
            compared += len(rows)
    assert compared == 4 * len(RULES) * 2 * 16


@pytest.mark.parametrize("name", ["pooled", "smoothed", "gold_rescaled"])
def test_corrupted_input_has_the_sums_of_each_case_and_video_alone(made, monkeypatch, name):
    monkeypatch.chdir(Path(__file__).parents[3])
    _, layout, gold = made
    path = layout.robustness("demo") / "video" / "seed1" / "traces.parquet"
    table = pd.read_parquet(path)
    lost = (table["video"] == "test_02") & (table["level"] == 0.9)
    table.loc[lost, ["valence", "arousal"]] = np.nan
    table.to_parquet(path)
    found = CaseSums("demo", "test", name, layout).of(("video", 1))
    keys = ["corruption", "level"]
    cases = list(table.groupby(keys, observed=True, sort=False))
    assert list(found.drop_duplicates(keys)[keys].itertuples(index=False, name=None)) == [
        case for case, _ in cases
    ]
    for (corruption, level), rows in cases:
        plain = plain_statistics.sums(protocol.load(name), rows, gold, DELAY_S, SCALE)
        here = found[(found["corruption"] == corruption) & (found["level"] == level)]
        here = here.set_index(["target", "video"])
        assert here.index.tolist() == list(plain)
        expected = np.array(list(plain.values()))[:, :6]
        assert here[list(SUMS)].to_numpy() == pytest.approx(expected, rel=1e-12)
        for column, has in (("no_audio", "has_audio"), ("no_video", "has_video")):
            shares = 1 - rows.groupby("video")[has].mean()
            assert here.loc["valence", column].to_dict() == pytest.approx(shares.to_dict())
