"""Tables, sentences and the page say which runs did not train, and which features are limited."""

import json
import shutil

import pandas as pd
import pytest

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation.run_scores import finished_runs
from avfusion.layout import Layout
from avfusion.report.figures.training_curves import draw_curves
from avfusion.report.inputs import CorpusFiles
from avfusion.report.marks import Marks
from avfusion.report.page.write import render
from avfusion.report.scaling import MANY, caveats, scaling
from avfusion.report.tables.write import write_tables
from avfusion.runs.scaling import SHARE
from support.recorded_study import write_study
from support.synthetic_features import Plan

STUCK = {"is": "concat", "train": {"lr": 1e-12, "epochs": 12}}
GOOD = {"is": "concat", "train": {"lr": 0.01, "epochs": 60, "dropout": 0.1, "hidden": 64}}
REMARK = "stuck did not train (2 of 2 runs)"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("marks") / "results")
    plan = Plan(duration_s=12.0, videos={"train": 6, "validation": 3, "test": 10})
    fusions, draws = {"ridge": {}, "stuck": STUCK, "good": GOOD}, StatisticsSettings(draws=1024)
    study = write_study(layout, plan, fusions=fusions, statistics=draws)
    write_tables(study, layout)
    return study, layout


@pytest.fixture
def copied(made, tmp_path):
    study, layout = made
    shutil.copytree(layout.results, tmp_path / "results")
    return study, Layout(tmp_path / "results")


def text(layout: Layout, name: str) -> str:
    return (layout.tables / name).read_text()


def test_tables_mark_the_fusion_that_did_not_train_and_no_other(made):
    _, layout = made
    assert "stuck, did not train (2 of 2 runs)" in text(layout, "scores.md")
    for name in ("scores.md", "comparisons.md", "claims.md"):
        assert "2 runs did not train: stuck seed 0 (kept epoch 1 of 11; train CCC" in text(
            layout, name
        )
        assert "good did not train" not in text(layout, name)
    assert f"better; {REMARK}" in text(layout, "comparisons.md")
    scores = pd.read_csv(layout.tables / "scores.csv")
    counts = scores.drop_duplicates("fusion").set_index("fusion")["did_not_train"]
    assert counts.to_dict() == {"ridge": 0, "good": 0, "stuck": 2}


def test_no_sentence_states_a_finding_about_it_without_the_remark(made):
    _, layout = made
    pairs = pd.read_csv(layout.tables / "comparisons.csv", keep_default_na=False)
    with_stuck = (pairs["fusion"] == "stuck") | (pairs["other"] == "stuck")
    assert pairs.loc[with_stuck, "verdict"].str.endswith(f"But {REMARK}.").all()
    assert (pairs["did_not_train"] == ["stuck" if its else "" for its in with_stuck]).all()
    summary = json.loads(text(layout, "summary.json"))["corpora"]["toy"]
    named = [sentence for sentence in summary["sentences"] if "stuck" in sentence]
    assert named
    assert all(REMARK in sentence for sentence in named)
    assert summary["did_not_train"].keys() == {"stuck"}


def test_the_page_says_so_next_to_the_score_and_in_the_answer(made):
    study, layout = made
    page = render(study, layout)
    answer, _, rest = page.partition("<main")
    assert f"But {REMARK}." in answer
    assert '<span class="sd">did not train (2 of 2 runs)</span>' in rest
    assert "Caveat:</strong> 2 runs did not train: stuck seed 0" in rest
    assert page.count('<span class="sd">did not train') == 1


def test_the_record_of_a_run_has_a_tag(made):
    _, layout = made
    tags = {run.name: run.tags() for run in finished_runs("toy", layout)}
    assert tags["stuck/seed1"]["did_not_train"].startswith("kept epoch 1 of 11; train CCC")
    assert "did_not_train" not in tags["good/seed0"]
    assert "did_not_train" not in tags["ridge/seed0"]


def test_a_result_of_the_fusion_itself_names_it_as_not_trained():
    marks = Marks({"jca": 3}, {"jca": {"seed 2": ["kept epoch 1 of 11"]}})
    assert marks.named("jca") == "jca, which did not train (1 of 3 runs),"
    assert marks.named("ca") == "ca"
    assert marks.qualified("ca beats it.", ["ca"]) == "ca beats it."


def test_training_curves_are_of_the_fusions_that_have_epochs(made):
    study, layout = made
    figure, caption = draw_curves(CorpusFiles("toy", study, layout))
    assert [axis.get_title() for axis in figure.axes if axis.get_title()] == ["stuck", "good"]
    assert "(4 of 4 runs)" in caption.text


def test_features_have_a_row_per_encoder_and_partition(made):
    _, layout = made
    table = pd.read_csv(layout.tables / "features.csv")
    rows = list(zip(table["encoder"], table["partition"], strict=True))
    assert sorted(rows) == [(e, p) for e in ("ear", "eye") for p in ("test", "train", "validation")]
    assert (table["fusions"] == "all").all()
    assert MANY == SHARE
    assert "## toy" in text(layout, "features.md")


def test_many_limited_values_are_a_caveat_of_tables_and_page(copied):
    study, layout = copied
    for path in layout.results.glob("runs/toy/*/*/scaling.csv"):
        table = pd.read_csv(path)
        worst = (table["encoder"] == "eye") & (table["partition"] == "test")
        table.loc[worst, ["share", "worst_feature", "worst_share"]] = 0.034, 3, 0.5
        table.astype({"worst_feature": int}).to_csv(path, index=False)
    write_tables(study, layout)
    words = "3.4% of the values of encoder eye in test (10 videos) are missing or far from the"
    assert words in text(layout, "scores.md")
    assert words in text(layout, "comparisons.md")
    assert words in text(layout, "features.md")
    assert words in render(study, layout)
    assert "most in feature 3 (50.0% of its values)" in text(layout, "scores.md")


def test_runs_that_are_scaled_otherwise_have_rows_of_their_own(copied):
    study, layout = copied
    for seed in study.seeds:
        path = layout.run("toy", "good", seed) / "scaling.csv"
        pd.read_csv(path).assign(share=0.02).to_csv(path, index=False)
    table = scaling("toy", study, layout)
    assert set(table["fusions"]) == {"ridge, stuck", "good"}
    assert len(table) == 12
    assert len(caveats(table)) == 6


def test_runs_without_these_files_have_no_remark(copied):
    study, layout = copied
    for name in ("fit.json", "scaling.csv"):
        for path in layout.results.glob(f"runs/toy/*/*/{name}"):
            path.unlink()
    write_tables(study, layout)
    assert "did not train" not in text(layout, "scores.md") + text(layout, "comparisons.md")
    assert "Not recorded" in text(layout, "features.md")
    assert "did not train (" not in render(study, layout)
