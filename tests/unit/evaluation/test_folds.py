"""Folds of one split as entries of `corpora`: trained apart, summed up together."""

import numpy as np
import pandas as pd
import pytest

from avfusion.config.match import groups
from avfusion.evaluation.score import score_corpus
from avfusion.evaluation.score_classes import RULE
from avfusion.evaluation.scored import Scored
from avfusion.layout import Layout
from avfusion.report import write
from avfusion.report.page.write import render
from avfusion.report.tables.folds import in_several, pooled, sign_flips, write_folds
from avfusion.report.tables.part import Part, TableData, read_part
from avfusion.report.tables.splits import Split, shared, side_by_side
from avfusion.runs.train import train_run
from support.synthetic_classes import study, write_utterances

pytestmark = pytest.mark.slow

FOLDS = {
    f"fold{k}": {"is": "said", "root": "data/said", "task": "classes", "options": {"fold": k}}
    for k in range(2)
}


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    layout, plan = Layout(tmp_path_factory.mktemp("folds")), study(**FOLDS)
    for k, corpus in enumerate(FOLDS):
        write_utterances(layout, corpus, fold=k)
        for fusion in plan.fusions:
            for seed in plan.seeds:
                train_run(plan.run_settings(corpus, fusion, seed), layout)
        score_corpus(corpus, plan.score_settings(corpus), layout)
    write(plan, layout, only="tables")
    return layout


def test_a_fold_without_a_score_gives_no_p():
    assert np.isnan(sign_flips(np.array([0.1, np.nan, 0.2]), 1000, 0))


def test_entries_of_one_class_and_task_are_folds_unless_a_group_parts_them():
    plan = study(**FOLDS, ratings={"is": "said", "root": "data/said"})
    assert groups(plan) == {"said": ["fold0", "fold1"]}
    apart = {"fold1": {**FOLDS["fold1"], "group": "random_split"}}
    assert groups(study(**FOLDS | apart, ratings={"is": "said", "root": "data/said"})) == {}


def test_pooled_over_folds_is_the_score_of_all_their_videos_at_once(folds):
    table = pd.read_csv(folds.tables / "folds.csv").query("table == 'fusions'")
    ours = table[table["target"] == "mean"].set_index("fusion")
    for fusion in ("concat", "late"):
        each = []
        for seed in (0, 1):
            rows = pd.concat(_sums(folds, name, fusion, seed) for name in FOLDS)
            by = rows.groupby("target")[["n", "hit"]].sum()
            each.append((by["hit"] / by["n"]).mean())
        assert ours.loc[fusion, "pooled"] == pytest.approx(np.mean(each), abs=1e-6)
    assert (ours["folds"] == 2).all()
    assert (ours["low"] <= ours["pooled"]).all()


def test_the_mean_over_folds_and_seeds_is_that_of_the_scores(folds):
    table = pd.read_csv(folds.tables / "folds.csv").query("table == 'fusions'")
    ours = table[table["target"] == "mean"].set_index("fusion")["mean"]
    parts = [pd.read_parquet(folds.scores(name) / "scores.parquet") for name in FOLDS]
    scores = pd.concat(parts).query("partition == 'test' and target == 'mean'")
    theirs = scores.groupby("fusion")["recall"].mean()
    assert ours.to_dict() == pytest.approx(theirs.to_dict(), abs=1e-6)


def test_pairs_are_tested_over_videos_and_over_runs(folds):
    pairs = pd.read_csv(folds.tables / "folds.csv").query("table == 'pairs'")
    assert len(pairs) == 3
    assert (pairs["runs"] == 4).all()  # 2 folds, 2 seeds
    assert pairs["p"].between(0, 1).all()
    assert (pairs["p_runs"] >= 2 / 2**4).all()


def test_sign_flips_of_equal_runs_tell_nothing_and_of_many_wins_tell_much():
    assert sign_flips(np.zeros(8), 1000, 0) == 1
    assert sign_flips(np.full(10, 0.1), 10_000, 0) == pytest.approx(2 / 2**10)


def test_the_page_answers_for_all_folds_and_warns_where_they_share_speakers(folds):
    plan = study(**FOLDS)
    text = render(plan, folds)
    table = pd.read_csv(folds.tables / "folds.csv").query("table == 'fusions' and target == 'mean'")
    best = table.iloc[0]
    sentence = f"Over 2 folds of said with {best['videos']} test videos, {best['fusion']} reaches"
    head, _, rest = text.partition('<main id="main"')
    assert sentence in head
    assert "On 42 test videos of fold0" not in head
    assert "On 42 test videos of fold0" in rest
    assert "Warning: said tests 10 of 10 speakers" in head
    for row in table.itertuples():
        assert f"{row.pooled:.3f}" in rest
        assert f"[{row.low:.3f}, {row.high:.3f}]" in rest


def test_two_splits_stand_side_by_side_with_a_warning_where_speakers_are_shared(folds):
    plan = study(
        **{name: {**entry, "group": name} for name, entry in FOLDS.items()},
        again={"is": "said", "root": "data/said", "task": "classes", "group": "fold0"},
        more={"is": "said", "root": "data/said", "task": "classes", "group": "fold1"},
    )
    assert groups(plan) == {"fold0": ["fold0", "again"], "fold1": ["fold1", "more"]}
    apart = folds.manifest("apart")
    apart.parent.mkdir(parents=True, exist_ok=True)
    rows = [("train", "a"), ("validation", "b"), ("test", "c")]
    pd.DataFrame(rows, columns=["partition", "subject"]).to_parquet(apart)
    assert shared(["apart"], folds) == (0, 3)
    assert shared(["fold0", "apart"], folds) == (10, 13)
    part = {name: read_part(name, plan, folds) for name in FOLDS}
    splits = [
        Split("by_speaker", ["fold0"], pooled("by_speaker", [part["fold0"].scored])),
        Split("at_random", ["fold1"], pooled("at_random", [part["fold1"].scored])),
    ]
    (table,), shown = side_by_side(splits, plan, folds)
    ours = table[(table["corpus"] == "at_random") & (table["fusion"] == "late")].iloc[0]
    scores = pd.read_parquet(folds.scores("fold1") / "scores.parquet")
    theirs = scores[(scores["fusion"] == "late") & (scores["partition"] == "test")]
    theirs = theirs[theirs["target"] == "mean"]
    assert ours["ua"] == pytest.approx(theirs["ua"].mean(), abs=1e-6)
    assert ours["wa"] == pytest.approx(theirs["wa"].mean(), abs=1e-6)
    text = "\n".join(shown)
    assert "Warning: at_random tests 10 of 10 speakers" in text
    assert "UA, by_speaker" in text


def _sums(layout, corpus, fusion, seed):
    rows = pd.read_parquet(layout.scores(corpus) / "sums.parquet")
    keep = (rows["fusion"] == fusion) & (rows["seed"] == seed) & (rows["partition"] == "test")
    return rows[keep]


def test_entries_that_test_the_same_videos_are_not_pooled(tmp_path, caplog):
    """One release under two options: its videos would count twice."""
    plan = study(**FOLDS)
    folds = [
        Scored(name, RULE, "test", ["a", last], [], [], {}, {})
        for name, last in zip(FOLDS, ("b", "c"), strict=True)
    ]
    assert in_several(folds) == ["a"]
    layout = Layout(tmp_path)
    with caplog.at_level("WARNING"):
        parts = [Part(fold, [], *[pd.DataFrame()] * 4) for fold in folds]
        write_folds(TableData(plan, layout, parts, []))
    assert "fold0 and fold1 test the same 1 videos" in caplog.text
    assert not list(layout.tables.glob("folds.*"))
