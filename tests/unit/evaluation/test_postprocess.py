"""AVEC's chain: what was done to predictions is undone, by what train says and nothing else."""

import json

import numpy as np
import pandas as pd
import pytest

from avfusion.config.study import Study
from avfusion.errors import ConfigError
from avfusion.evaluation.postprocess import Chain, fit, fit_one
from avfusion.evaluation.score import score_corpus
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS, pooled_ccc, video_sums
from avfusion.protocols import protocol
from avfusion.protocols.series import instants
from avfusion.rating import Rating
from support import robust_study
from support.synthetic_features import Plan, write_inputs

STEP_S, RULE = 0.04, "avec2016_post"
RATED = Rating(("valence",))


def curve(seed, n=1500):
    """A slow random curve (n,) and its time."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(n) * STEP_S
    waves = [np.sin(2 * np.pi * rng.uniform(0.02, 0.1) * time_s + rng.uniform(0, 6)) for _ in "abc"]
    return time_s, 0.2 * sum(waves) + rng.normal(0, 0.05)


def pairs(change, seeds=range(4)):
    return [(change(curve(seed)[1], seed), curve(seed)[1]) for seed in seeds]


def ccc(pairs):
    return float(pooled_ccc(sum(video_sums(p, g) for p, g in pairs)))


def test_an_offset_a_size_and_a_lead_are_found_and_undone():
    lead = round(1.2 / STEP_S)

    def early(g, _):
        return 0.3 * np.append(g[lead:], np.full(lead, g[-1])) + 0.4

    given = pairs(early)
    chain = fit_one(given, [STEP_S] * 4, "pooled")
    assert chain.bias == pytest.approx(
        np.mean([g for _, g in given]) - np.mean([p for p, _ in given])
    )
    assert chain.scale == pytest.approx(1 / 0.3, rel=0.1)
    assert chain.shift_s == pytest.approx(1.2)
    fresh = pairs(early, range(10, 14))
    assert ccc([(chain(p, STEP_S), g) for p, g in fresh]) > 0.8 > ccc(fresh) + 0.3


def test_spikes_call_for_the_median_filter():
    def spiky(g, seed):
        rng = np.random.default_rng([5, seed])
        return np.where(rng.random(len(g)) < 0.1, rng.choice([-3.0, 3.0], len(g)), g)

    chain = fit_one(pairs(spiky), [STEP_S] * 4, "pooled")
    assert chain.median_s > 0
    fresh = pairs(spiky, range(10, 14))
    assert ccc([(chain(p, STEP_S), g) for p, g in fresh]) > 0.95


def test_what_cannot_be_bettered_is_left_alone():
    assert fit_one(pairs(lambda g, _: g), [STEP_S] * 4, "pooled") == Chain()
    assert fit_one([], [], "pooled") == Chain()
    p = curve(0)[1]
    assert np.array_equal(Chain()(p, STEP_S), p)


@pytest.mark.parametrize("pooling", ["pooled", "per_video_mean"])
def test_on_train_the_chain_never_scores_less(pooling):
    def noisy(g, seed):
        return np.random.default_rng([6, seed]).normal(0, 0.3, len(g)) + 0.5 * g

    given = pairs(noisy)
    chain = fit_one(given, [STEP_S] * 4, pooling)
    fitted = [ccc([(chain(p, STEP_S), g)]) for p, g in given]
    bare = [ccc([pair]) for pair in given]
    if pooling == "pooled":
        fitted, bare = ccc([(chain(p, STEP_S), g) for p, g in given]), ccc(given)
    assert np.mean(fitted) > np.mean(bare)


def test_a_video_of_another_partition_is_refused():
    time_s, g = curve(0)
    table = pd.DataFrame({"time_s": time_s, "valence": g})
    rule, train = protocol.load(RULE), {"a": (table, table)}
    assert fit(rule, train, {"a": "train"}, {}, RATED) == {"valence": Chain()}
    with pytest.raises(ValueError, match="fitted on the training partition only; a is in test"):
        fit(rule, train, {"a": "test"}, {}, RATED)


def test_without_a_fit_the_rule_is_refused_rather_than_left_out():
    time_s, g = curve(0)
    table = pd.DataFrame({"time_s": time_s, "valence": g})
    with pytest.raises(ConfigError, match="which fit it"):
        protocol.apply(protocol.load(RULE), table, table, {}, RATED)


@pytest.fixture
def scored(tmp_path):
    """A run whose predictions are half the size of the ratings, scored; and how to score again."""
    layout = Layout(tmp_path)
    plan = Plan(noise=0.1, delay_s={"valence": 0.0, "arousal": 0.0})
    write_inputs(layout, plan)
    traces = pd.read_parquet(layout.gold("toy")).fillna(0.0)
    traces[["valence", "arousal"]] = 0.5 * traces[["valence", "arousal"]] + 0.2
    study = Study(
        corpora={"toy": {"root": "x"}}, fusions={"concat": {}}, seeds=[0],
        features={"audio": ["ear"], "video": ["eye"]}, protocols=["pooled", RULE, "avec2018"],
    )  # fmt: skip

    def score(monkeypatch):
        by_video = dict(list(traces.groupby("video")))
        monkeypatch.setattr("avfusion.evaluation.score.read_run", lambda *_: (by_video, "", {}))
        score_corpus("toy", study.score_settings("toy"), layout)
        folder = layout.scores("toy")
        used = json.loads((folder / "protocols.json").read_text())
        return pd.read_parquet(folder / "scores.parquet"), used

    return layout, score


def test_the_fit_stands_in_protocols_json_and_lifts_the_score(scored, monkeypatch):
    scores, used = scored[1](monkeypatch)
    chains = used[RULE]["fitted"]["concat/seed0"]
    assert set(chains) == {"valence", "arousal"}
    assert chains["valence"]["scale"] == pytest.approx(2, rel=0.05)
    at = scores[scores["partition"] == "test"].set_index(["protocol", "target"])["ccc"]
    assert at[RULE, "mean"] > at["pooled", "mean"] + 0.1
    assert "fitted" not in used["pooled"]


def test_gold_of_test_and_validation_changes_nothing_that_is_fitted(scored, monkeypatch):
    layout, score = scored
    before = score(monkeypatch)[1][RULE]["fitted"]
    gold = pd.read_parquet(layout.gold("toy"))
    others = ~gold["video"].str.startswith("train")
    gold.loc[others, ["valence", "arousal"]] *= -1
    write_table(gold, layout.gold("toy"))
    assert score(monkeypatch)[1][RULE]["fitted"] == before


def test_every_tenth_rating_is_scored_at_a_step_of_0_4_s():
    time_s = np.arange(0, 2.0, 0.04)
    assert np.flatnonzero(instants(time_s, 0.4)).tolist() == [0, 10, 20, 30, 40]
    assert instants(time_s, None).all()
    assert instants(time_s[:3] * 100, 0.4).all()  # rated less often than that
    assert len(instants(np.empty(0), 0.4)) == 0


def test_a_chain_fitted_on_train_stands_behind_corrupted_predictions_too(tmp_path):
    """On whole input it gives the run's own score; on any, what the file of chains says."""
    layout, corpus, rule = Layout(tmp_path), "toy", "avec2016_post"
    study = robust_study.make(
        layout, ["audio"], seeds=[0], protocols=[rule], headline=rule,
        robustness={"audio_missing": [0.5]},
    )  # fmt: skip
    score_corpus(corpus, study.score_settings(corpus), layout)
    robust_study.corrupt(study, layout)
    table = pd.read_parquet(layout.robustness(corpus) / "sums.parquet")
    scored = pd.read_parquet(layout.scores(corpus) / "sums.parquet").query("partition == 'test'")
    key = ["target", "video"]
    both = table[table["corruption"] == "whole"].merge(scored, on=key, suffixes=("", "_score"))
    assert len(both) == 2 * 4
    for name in SUMS:
        np.testing.assert_allclose(both[name], both[f"{name}_score"], rtol=1e-12)
    fitted = json.loads((layout.scores(corpus) / "protocols.json").read_text())[rule]["fitted"]
    chain = Chain(**fitted["audio/seed0"]["valence"])
    assert chain != Chain()
    traces = pd.read_parquet(layout.robustness(corpus) / "audio/seed0/traces.parquet")
    case = traces[(traces["corruption"] == "audio_missing") & (traces["video"] == "test_00")]
    gold = pd.read_parquet(layout.gold(corpus)).query("video == 'test_00'")
    card = json.loads(layout.card(corpus).read_text())
    late = np.interp(gold["time_s"] - card["delay_s"]["valence"], case["time_s"], case["valence"])
    predicted = chain(late, 0.04)[gold["valence"].notna()]
    row = table.query(
        "corruption == 'audio_missing' and target == 'valence' and video == 'test_00'"
    )
    assert row["p"].item() == pytest.approx(predicted.sum())
