"""Reports of corpora that are too small or too even for a score, and that say so."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avfusion.evaluation.score import score_corpus
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.report.figures.write import write_figures
from avfusion.report.page.write import write_page
from avfusion.report.tables.write import write_tables
from support.synthetic_results import Plan, rewrite_traces, write_results

ROOT = Path(__file__).parents[3]
PLAN = Plan(errors={"audio": 0.4, "jca": 0.1, "late": 0.3}, seeds=(0, 1), failed=())


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def written(folder, edit, plan=PLAN):
    """Score and report results after an edit, with figures and page."""
    layout = Layout(folder)
    study = write_results(layout, plan)
    statistics = study.statistics.model_copy(update={"draws": 200})
    study = study.model_copy(update={"statistics": statistics})
    edit(layout)
    score_corpus("demo", study.score_settings("demo"), layout)
    write_tables(study, layout)
    write_figures(study, layout)
    write_page(study, layout)
    return study, layout


def constant(*targets):
    """Set the gold of the test partition to one value."""

    def edit(layout):
        gold = pd.read_parquet(layout.gold("demo"))
        of = pd.read_parquet(layout.manifest("demo")).set_index("video")["partition"]
        test = gold["video"].map(of) == "test"
        gold.loc[test & gold["valence"].notna(), list(targets)] = 0.1
        write_table(gold, layout.gold("demo"))

    return edit


def carded(**entries):
    def edit(layout):
        card = json.loads(layout.card("demo").read_text())
        layout.card("demo").write_text(json.dumps(card | entries))

    return edit


def test_a_target_with_constant_gold_has_no_score_and_nothing_is_bold(tmp_path):
    _, layout = written(tmp_path, constant("arousal"))
    text = (layout.tables / "scores.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| jca")]
    cells = [cell.strip() for cell in rows[0].split("|")[1:-1]]
    assert (cells[1], cells[3]) == ("–", "–")  # mean and arousal
    assert cells[2].startswith("0.9")
    assert "**" not in text
    assert "No CCC of arousal (–): its gold is constant in the test partition" in text
    assert "– &" in (layout.tables / "scores.tex").read_text().replace("--", "–")
    runs = pd.read_csv(layout.tables / "runs.csv")
    runs = runs.query("partition == 'test' and protocol == 'pooled'")
    assert runs.loc[runs["target"] == "arousal", "ccc"].isna().all()
    assert runs.loc[runs["target"] == "valence", "ccc"].notna().all()


def test_all_gold_constant_is_reported_with_the_reason(tmp_path):
    _, layout = written(tmp_path, constant("valence", "arousal"))
    page = layout.page.read_text()
    assert "gold is constant in the test partition" in page
    summary = json.loads((layout.tables / "summary.json").read_text())
    assert summary["corpora"]["demo"]["best"] == []
    assert "no score, because the gold is constant" in summary["sentences"][0]
    assert "0.000" not in (layout.tables / "scores.md").read_text()


def verdicts(layout):
    """The verdicts on declared comparisons of the mean."""
    table = pd.read_csv(layout.tables / "comparisons.csv").query("target == 'mean'")
    assert not table["significant"].any()
    return set(table["verdict"].str.partition(": ")[2])


def test_one_video_cannot_be_compared_and_the_reason_is_said(tmp_path):
    plan = replace(PLAN, videos={"train": 4, "validation": 4, "test": 1})
    _, layout = written(tmp_path, lambda layout: None, plan)
    reason = "it takes two videos with ratings, and there is 1."
    assert reason in verdicts(layout)
    page = layout.page.read_text()
    assert reason in page
    assert "differences is significant" not in page


def test_constant_gold_is_the_reason_why_fusions_are_not_compared(tmp_path):
    _, layout = written(tmp_path, constant("arousal"))
    assert verdicts(layout) == {"the gold of arousal is constant."}
    table = pd.read_csv(layout.tables / "comparisons.csv").query("target == 'valence'")
    assert table["difference"].notna().any()


def test_gold_that_is_constant_in_each_video_has_no_score_per_video(tmp_path):
    def flat(layout):
        gold = pd.read_parquet(layout.gold("demo"))
        level = gold["video"].astype("category").cat.codes / 100
        rated = gold["valence"].notna()
        write_table(gold.assign(arousal=level.where(rated)), layout.gold("demo"))

    _, layout = written(tmp_path, flat)
    scores = pd.read_csv(layout.tables / "scores.csv").query("target == 'arousal'")
    scores = scores.set_index("protocol")["mean"]
    assert scores.loc["per_video"].isna().all()
    assert scores.loc["pooled"].notna().all()
    rows = (layout.tables / "protocols.md").read_text().splitlines()
    line = next(row for row in rows if row.startswith("| jca"))
    assert "–" in line
    assert "not run" not in line


def test_warnings_of_the_media_stage_are_counted_by_kind(tmp_path):
    def warned(layout):
        path = layout.media("demo") / "index.parquet"
        index = pd.read_parquet(path)
        texts = {"test_00": ["gaps in the sound: 2"], "test_01": ["gaps in the sound: 5", "a; b"]}
        write_table(
            index.assign(warnings=index["video"].isin(texts).map({True: "x", False: ""})), path
        )
        for video, warnings in texts.items():
            (layout.media("demo") / video).mkdir(parents=True, exist_ok=True)
            meta = {"warnings": warnings}
            (layout.media("demo") / video / "meta.json").write_text(json.dumps(meta))

    _, layout = written(tmp_path, warned)
    expected = "`avf media` warns about 2 of "
    assert expected in (layout.tables / "scores.md").read_text()
    assert "gaps in the sound (2), a (1)" in (layout.tables / "scores.md").read_text()
    assert "gaps in the sound (2), a (1)" in layout.page.read_text()


def test_fusions_of_exactly_one_score_are_not_bold(tmp_path):
    def same(layout):
        first = pd.read_parquet(layout.run("demo", "audio", 0) / "traces.parquet")
        for fusion in PLAN.errors:
            for seed in PLAN.seeds:
                path = layout.run("demo", fusion, seed) / "traces.parquet"
                rewrite_traces(path, lambda table: first)

    _, layout = written(tmp_path, same)
    assert "**" not in (layout.tables / "scores.md").read_text()
    assert np.unique(pd.read_csv(layout.tables / "scores.csv")["best"].dropna()).size <= 1


def test_partitions_of_the_same_people_are_said_in_tables_and_page(tmp_path):
    _, layout = written(tmp_path, carded(people_shared=True))
    expected = "cannot show how well it works for a new person"
    names = ("scores.md", "scores.tex", "comparisons.md", "comparisons.tex", "protocols.md")
    for path in [layout.tables / name for name in (*names, "claims.md")] + [layout.page]:
        assert expected in re.sub(r"\s+", " ", path.read_text()), path


def test_unrated_test_videos_are_missing_and_not_among_the_best_or_worst(tmp_path):
    def unrate(layout):
        gold = pd.read_parquet(layout.gold("demo"))
        write_table(gold[gold["video"] != "test_00"], layout.gold("demo"))

    _, layout = written(tmp_path, unrate)
    missing = pd.read_csv(layout.scores("demo") / "missing.csv")
    assert "test_00" in set(missing["video"])
    captions = json.loads((layout.figures / "captions.json").read_text())
    traces = [caption for caption in captions.values() if caption["kind"] == "traces"]
    assert "of 11 test videos" in traces[0]["text"]
    assert not [caption for caption in traces if "test_00" in caption["title"]]
