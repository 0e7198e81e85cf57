"""Test tables: they follow from the scores, and absent or leaking data is reported."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from avfusion.config.baseline import REFERENCES
from avfusion.config.sections import CorpusEntry
from avfusion.errors import AvfError
from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.report.tables.catalogue import tables_of
from avfusion.report.tables.part import read_part
from avfusion.report.tables.write import write_tables
from support.synthetic_results import Plan, rewrite_traces, write_results

ROOT = Path(__file__).parents[3]


class Results:
    """A scored results folder; `edit` may change it before it is scored."""

    def __init__(self, folder: Path, plan: Plan | None = None, edit=None, **study) -> None:
        self.layout = Layout(folder)
        made = write_results(self.layout, plan)
        statistics = made.statistics.model_copy(update={"draws": 2048})
        self.study = made.model_copy(update={"statistics": statistics, **study})
        if edit:
            edit(self.layout)
        score_corpus("demo", self.study.score_settings("demo"), self.layout)
        write_tables(self.study, self.layout)

    def csv(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.layout.tables / f"{name}.csv")

    def text(self, name: str) -> str:
        return (self.layout.tables / name).read_text()

    def json(self, name: str) -> dict:
        return json.loads(self.text(f"{name}.json"))


@pytest.fixture(scope="module", autouse=True)
def at_root():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module")
def complete(tmp_path_factory, at_root) -> Results:
    return Results(tmp_path_factory.mktemp("whole"))


def headline(results: Results) -> pd.DataFrame:
    rows = results.csv("scores").query("protocol == 'pooled'")
    return rows[~rows["fusion"].isin(REFERENCES)]


def pairs_of(results: Results) -> pd.DataFrame:
    rows = results.csv("comparisons")
    return rows[(rows["family"] == "pairs") & (rows["target"] == "mean")]


def test_the_planted_order_is_found_and_equals_stay_equal(complete):
    mean = headline(complete).query("target == 'mean'")
    assert list(mean["fusion"])[2:] == ["concat", "video", "audio"]
    assert set(mean.loc[mean["best"].astype(bool), "fusion"]) == {"ca", "jca"}
    pairs = pairs_of(complete)
    assert len(pairs) == 10
    open_ = pairs[~pairs["significant"]]
    assert all({row.fusion, row.other} == {"ca", "jca"} for row in open_.itertuples())
    declared = complete.csv("comparisons").query("family == 'baselines' and target == 'mean'")
    others = {(row.fusion, row.other) for row in declared.itertuples()}
    assert others == {(f, o) for f in ("ca", "jca") for o in ("video", "concat")} | {
        ("concat", "video")
    }
    assert set(declared["decision"]) == {"better"}


def test_the_table_is_the_mean_and_spread_of_the_runs(complete):
    runs = complete.csv("runs").query("partition == 'test' and protocol == 'pooled'")
    runs = runs[~runs["fusion"].isin(REFERENCES)]
    by = runs.groupby(["fusion", "target"])["ccc"]
    rows = headline(complete).set_index(["fusion", "target"])
    assert rows["mean"].to_dict() == pytest.approx(by.mean().to_dict(), abs=2e-6)
    assert rows["sd"].to_dict() == pytest.approx(by.std().to_dict(), abs=2e-6)
    assert (rows["low"] < rows["mean"]).all()
    assert (rows["mean"] < rows["high"]).all()


def test_every_table_says_protocol_partition_videos_missing_seeds_and_method(complete):
    for name in ("scores.md", "scores.tex"):
        text = complete.text(name).replace("\\", "")
        for sentence in (
            "protocol pooled",
            "test partition",
            "11 videos",
            "1 missing (test_11)",
            "3 trainings",
            "interval over videos and trainings",
            "2,048 crossed bootstrap draws",
        ):
            assert sentence in text, (name, sentence)


def test_metrics_hold_the_headline_numbers(complete):
    metrics = json.loads(complete.layout.metrics.read_text())["demo"]
    rows = complete.csv("scores").query("protocol == 'pooled'").set_index(["fusion", "target"])
    means = rows.xs("mean", level="target")
    best = means.loc[metrics["best"]]
    assert best["mean"] == means.loc[[*metrics["fusions"].split(", ")], "mean"].max()
    for name, column in (("score", "mean"), ("score_low", "low"), ("score_high", "high")):
        assert metrics[name] == pytest.approx(best[column], abs=1e-6)
    assert metrics["concat"] == pytest.approx(means.loc["concat", "mean"], abs=1e-6)
    assert len(metrics) <= 8, "`dvc metrics show` has a column each"


def test_summary_sentences_carry_the_numbers_of_the_tables(complete):
    first, *others = complete.json("summary")["sentences"]
    best = headline(complete).query("target == 'mean'").iloc[0]
    assert f"{best['fusion']} reaches a mean CCC of {best['mean']:.3f}" in first
    assert (
        "On 11 test videos of the synthetic corpus demo (1 missing: test_11) and 3 seeds" in first
    )
    assert others[0].startswith("Declared comparisons: each fusion against video and concat")
    assert "5 of 5 differences are significant" in others[0]


def test_protocols_rank_every_fusion_under_every_rule(complete):
    table = complete.csv("protocols")
    for _, rows in table.groupby("protocol"):
        assert sorted(rows["rank"]) == list(range(1, len(rows) + 1))
        assert list(rows.sort_values("rank")["mean"]) == sorted(rows["mean"], reverse=True)


@pytest.mark.parametrize("name", ["scores.tex", "comparisons.tex"])
def test_latex_rows_have_as_many_cells_as_columns_and_nothing_unescaped(complete, name):
    text = complete.text(name)
    for kind in ("table", "tabular"):
        assert text.count(rf"\begin{{{kind}}}") == text.count(rf"\end{{{kind}}}") == 1
    columns = re.search(r"\\begin\{tabular\}\{(l?r*)\}", text).group(1)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    prose = re.sub(r"\\label\{.*?\}", "", text)
    assert not re.search(r"(?<!\\)[_%#]", prose)
    assert text.count("{") == text.count("}")
    assert text.isascii()


@pytest.mark.parametrize("name", ["scores.md", "comparisons.md", "protocols.md"])
def test_markdown_columns_line_up(complete, name):
    lines = complete.text(name).splitlines()
    tables = [list(rows) for table, rows in groupby(lines, lambda x: x.startswith("|")) if table]
    assert tables
    for table in tables:
        assert len({len(line) for line in table}) == 1
        assert len({line.count("|") for line in table}) == 1


def test_exactly_the_tables_of_the_registry_are_written(complete):
    files = {path.name for path in complete.layout.tables.iterdir()}
    assert files == {*tables_of(complete.study, ["demo"]), "provenance.json"}


def test_the_same_scores_give_the_same_bytes(complete):
    before = {p.name: p.read_bytes() for p in complete.layout.tables.iterdir()}
    write_tables(complete.study, complete.layout)
    assert before == {p.name: p.read_bytes() for p in complete.layout.tables.iterdir()}


def test_tables_load_no_torch_which_takes_longer_than_they_do(complete, tmp_path):
    settings = tmp_path / "settings.json"
    settings.write_text(complete.study.model_dump_json())
    given = ["--settings", str(settings), "--results", str(complete.layout.results)]
    code = (
        "import sys\n"
        "from avfusion.cli import main\n"
        f"assert main(['report', '--only', 'tables', *{given!r}]) == 0\n"
        "print(sorted({'torch', 'mlflow', 'cv2'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, check=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_leaking_protocol_is_stamped_wherever_it_appears(tmp_path):
    results = Results(
        tmp_path, Plan(seconds=8), protocols=["gold_rescaled"], headline="gold_rescaled"
    )
    for name in ("scores.md", "scores.tex", "comparisons.md", "protocols.md", "summary.json"):
        assert "LEAKS GOLD" in results.text(name), name
    for name in ("scores", "comparisons", "protocols", "runs"):
        assert results.csv(name)["leaks"].all(), name


def test_lost_runs_and_videos_are_told_and_the_rest_is_compared_on_common_videos(tmp_path):
    def lose(layout: Layout) -> None:
        (layout.run("demo", "ca", 2) / "traces.parquet").unlink()
        for seed in (0, 1, 2):
            (layout.run("demo", "video", seed) / "traces.parquet").unlink()
        path = layout.run("demo", "jca", 0) / "traces.parquet"
        rewrite_traces(path, lambda traces: traces[traces["video"] != "test_04"])

    results = Results(tmp_path, Plan(seconds=8), lose)
    rows = headline(results).query("target == 'mean'").set_index("fusion")
    assert rows["seeds"].to_dict() == {"jca": 3, "ca": 2, "concat": 3, "audio": 3, "video": 0}
    assert set(rows["videos"]) == {10}
    assert list(rows.index)[-1] == "video"
    assert np.isnan(rows.loc["video", "mean"])
    text = results.text("scores.md")
    assert "2 missing (test_04, test_11)" in text
    assert "4 runs without a score" in text
    assert re.search(r"\| video +\| +not run \|", text)
    pairs = pairs_of(results).set_index(["fusion", "other"])
    assert pairs.loc[("concat", "video"), "verdict"].startswith("concat and video cannot be comp")
    members = int(pairs["p"].notna().sum())
    assert members == 6, "pairs that were not compared do not count in Holm's family"
    assert pairs["p_holm"].min() == pytest.approx(members * pairs["p"].min(), abs=1e-5)
    assert "video" not in json.loads(results.layout.metrics.read_text())["demo"]["fusions"]


def test_validation_is_reported_where_test_is_not_rated(tmp_path):
    def unrate(layout: Layout) -> None:
        gold = pd.read_parquet(layout.gold("demo"))
        gold[~gold["video"].str.startswith("test")].to_parquet(layout.gold("demo"), index=False)

    results = Results(tmp_path, Plan(seconds=8), unrate)
    assert set(results.csv("scores")["partition"]) == {"validation"}
    assert "no ratings here; validation is reported" in results.text("scores.md")
    assert results.json("summary")["corpora"]["demo"]["partition"] == "validation"


def test_few_videos_decide_nothing_and_the_needed_number_is_told(tmp_path):
    errors = {"audio": 0.3, "video": 0.29, "concat": 0.28}
    videos = {"train": 2, "validation": 2, "test": 5}
    plan = Plan(seconds=8, videos=videos, failed=(), errors=errors)
    results = Results(tmp_path, plan)
    rows = results.csv("comparisons").query("family == 'baselines' and target == 'mean'")
    assert set(rows["decision"]) == {"undecided"}
    needed = rows["units_needed"].iloc[0]
    assert np.isnan(needed) or needed > 5
    text = results.json("summary")["sentences"]
    assert any(re.search("Undecided: concat − (audio|video)", sentence) for sentence in text)
    assert any("would need" in s or "suffices" in s for s in text)


def test_one_fusion_and_one_seed_make_a_table_without_spread_or_pairs(tmp_path):
    results = Results(tmp_path, Plan(seconds=8, errors={"only": 0.2}, seeds=(4,)))
    rows = headline(results)
    assert rows["sd"].isna().all()
    assert rows["low"].notna().all()
    assert "nothing to compare" in results.text("comparisons.md")
    assert results.json("summary")["corpora"]["demo"]["best"] == ["only"]


def test_a_corpus_that_was_never_scored_says_not_run(complete, tmp_path):
    entries = {"affwild2": CorpusEntry(root="no/affwild2"), "demo": CorpusEntry(root="")}
    study = complete.study.model_copy(update={"corpora": entries})
    write_tables(study, Layout(tmp_path))
    text = (tmp_path / "tables" / "scores.md").read_text()
    assert "Not run: nothing at no/affwild2 (`avf obtain affwild2`)." in text
    assert "Not run: no scores of demo (`avf score demo`)." in text
    rows = pd.read_csv(tmp_path / "tables" / "scores.csv")
    assert set(rows["note"]) == {"not run"}


def test_a_protocol_added_after_scoring_asks_for_scoring(complete):
    protocols = [*complete.study.protocols, "gold_rescaled"]
    study = complete.study.model_copy(update={"protocols": protocols})
    with pytest.raises(AvfError, match=r"gold_rescaled.*avf score demo"):
        write_tables(study, complete.layout)


def test_a_study_whose_every_run_failed_still_has_a_report(tmp_path):
    def lose(layout: Layout) -> None:
        for path in (layout.results / "runs").rglob("traces.parquet"):
            path.unlink()

    results = Results(tmp_path, Plan(seconds=8, errors={"a": 0.2, "b": 0.2}), lose)
    assert results.csv("scores")["mean"].isna().all()
    assert not results.csv("comparisons")["significant"].any()
    assert results.text("scores.md").count("not run") == 2
    assert "demo: no run was scored." in results.json("summary")["sentences"]


def test_a_video_lost_to_training_stands_in_the_header_and_the_first_sentences(tmp_path):
    results = Results(tmp_path, Plan(seconds=8, failed=("train_02", "validation_01")))
    missing = "f the videos for training and validation, 2 missing (train_02, validation_01)"
    assert f"12 videos scored, none missing; o{missing}" in results.text("scores.md")
    assert f"O{missing}." in results.json("summary")["sentences"]


def test_one_training_is_a_caveat(tmp_path):
    plan = Plan(seconds=8, errors=dict.fromkeys(("a", "b"), 0.3), seeds=(0,))
    results = Results(tmp_path, plan)
    assert any("One training per fusion" in s for s in results.json("summary")["sentences"])
    assert "the mean over 1 training and its 95% interval" in results.text("scores.md")


def test_references_are_rows_of_the_table_and_never_the_best_fusion(complete):
    rows = complete.csv("scores").query("protocol == 'pooled' and target == 'mean'")
    assert set(rows["fusion"]) >= {"average", "best_single", "stack"}
    assert not rows.loc[rows["fusion"].isin(REFERENCES), "best"].any()
    of_references = complete.csv("comparisons").query("family == 'references'")
    assert set(of_references["other"]) == set(rows["fusion"]) & set(REFERENCES)
    assert of_references["exploratory"].all()


def test_what_the_declared_comparison_finds_worse_is_not_marked_as_best(tmp_path):
    part = read_part("demo", *scored(tmp_path))
    best, other = part.tied[0], "concat"
    assert other not in part.tied
    names = {frozenset((best, other))}
    pairs, declared = (
        table.assign(
            significant=[
                {row.fusion, row.other} not in names and row.significant
                for row in table.itertuples()
            ]
        )
        for table in (part.pairs, part.declared)
    )
    # The declared comparison counts before the exploratory one, whatever that says.
    assert other not in replace(part, pairs=pairs).tied
    assert other in replace(part, declared=declared).tied
    # What was not compared is not marked.
    empty = pd.DataFrame()
    assert replace(part, pairs=empty, declared=empty).tied == [best]


def scored(folder: Path):
    results = Results(folder, Plan(seconds=8))
    return results.study, results.layout


def test_scores_that_round_to_the_same_number_are_printed_apart(complete):
    part = read_part("demo", complete.study, complete.layout)
    rows = part.headline["target"] == "mean"
    close = part.headline.assign(mean=part.headline["mean"].where(~rows, 0.5))
    first = close.index[rows][0]
    close.loc[first, "mean"] = 0.50004
    digits = replace(part, headline=close).digits("mean")
    assert digits[close.loc[first, "fusion"]] == 5
    assert set(digits.values()) == {5}
