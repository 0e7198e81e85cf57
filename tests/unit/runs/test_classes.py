"""Runs on classes: one label a video, from training to the tables."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.errors import TrainError
from avfusion.evaluation.score import score_corpus
from avfusion.layout import Layout
from avfusion.metrics.sums import class_scores, class_sums
from avfusion.models.model import mean_of
from avfusion.report import write
from avfusion.report.figures.confusion import predicted_shares
from avfusion.report.inputs import CorpusFiles
from avfusion.runs.train import train_run, write_traces
from avfusion.tracking.card import _scores
from support.synthetic_classes import CLASSES, SIZES, study, write_utterances

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    layout, plan = Layout(tmp_path_factory.mktemp("said")), study()
    write_utterances(layout)
    for fusion in plan.fusions:
        for seed in plan.seeds:
            train_run(plan.run_settings("said", fusion, seed), layout)
    score_corpus("said", plan.score_settings("said"), layout)
    write(plan, layout)
    return layout


def test_every_video_has_one_distribution_over_the_classes(said):
    table = pd.read_parquet(said.run("said", "concat", 0) / "classes.parquet")
    assert list(table.columns) == ["video", "partition", *CLASSES]
    assert table["video"].is_unique
    assert len(table) == sum(SIZES.values())
    assert table[list(CLASSES)].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)


def test_classes_that_are_in_the_features_are_learnt_far_beyond_chance(said):
    scores = pd.read_parquet(said.scores("said") / "scores.parquet")
    test = scores[(scores["partition"] == "test") & (scores["target"] == "mean")]
    assert (test["recall"] > 0.4).all()  # chance: 1 / 7
    assert test["wa"].to_numpy() == pytest.approx(test["recall"].to_numpy(), abs=0.05)  # balanced


def test_predictions_do_not_follow_from_the_labels_of_test(said, tmp_path):
    other, plan = Layout(tmp_path), study()
    write_utterances(other)
    labels = pd.read_parquet(other.labels("said"))
    test = pd.read_parquet(other.manifest("said")).query("partition == 'test'")["video"]
    labels.loc[labels["video"].isin(test), "label"] = "neu"
    labels.to_parquet(other.labels("said"), index=False)
    train_run(plan.run_settings("said", "concat", 0), other)
    first, second = (
        pd.read_parquet(at.run("said", "concat", 0) / "classes.parquet") for at in (said, other)
    )
    assert first.equals(second)


def test_predictions_written_again_are_the_same(said):
    path = said.run("said", "self_transformer", 1) / "classes.parquet"
    before = pd.read_parquet(path)
    write_traces(path.parent, said)
    assert pd.read_parquet(path).equals(before)


def test_absent_steps_and_how_windows_are_cut_leave_the_mean_alone():
    x = torch.randn(3, 4, 5)
    counts = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]]).bool()
    means = mean_of(x, counts, torch.tensor([0, 0, 1]))
    steps = torch.cat([x[0, :2], x[1, [0, 2, 3]]])
    torch.testing.assert_close(means[0], steps.mean(0))
    assert not means[1].any()  # nothing of it is present


def test_scores_of_classes_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    label, told = rng.integers(0, 7, 90), rng.integers(0, 7, 90)
    wa, ua, f1 = class_scores(class_sums(label, told, 7).sum(axis=1)[None])[:, 0]
    assert wa == pytest.approx(metrics.accuracy_score(label, told))
    assert ua == pytest.approx(metrics.balanced_accuracy_score(label, told))
    assert f1 == pytest.approx(metrics.f1_score(label, told, average="macro"))


def test_the_tables_say_ua_wa_and_f1_and_whose_names_are_swapped(said):
    table = pd.read_csv(said.tables / "classes.csv")
    assert {"ua", "wa", "f1", "recall_ang"} <= set(table["measure"])
    over = table[table["measure"].isin(["ua", "wa", "f1"])]
    assert (over["low"] <= over["mean"]).all()
    assert (over["mean"] <= over["high"]).all()
    scores = pd.read_csv(said.tables / "scores.csv")
    ua = table[table["measure"] == "ua"].set_index("fusion")["mean"]
    mean = scores[scores["target"] == "mean"].set_index("fusion")["mean"]
    assert ua.to_dict() == pytest.approx(mean.to_dict())
    assert "other way round" in (said.tables / "classes.md").read_text()
    assert "recall" in (said.results / "report.html").read_text()
    assert json.loads((said.figures / "captions.json").read_text())["said_ccc"]


def test_the_page_of_a_run_on_classes_speaks_of_classes_alone(said):
    text = said.page.read_text()
    assert "Which audio-visual fusion predicts classes better?" in text
    for word in ("CCC)", "mean CCC", "valence and arousal", "Predictions over time", "nothing to"):
        assert word not in text.partition('id="claims"')[0], word
    table = pd.read_csv(said.tables / "classes.csv")
    for row in table[table["fusion"] == "late"].itertuples():
        assert f"{row.mean:.3f}" in text
        assert f"[{row.low:.3f}, {row.high:.3f}]" in text
    kinds = {path.stem.removesuffix("_narrow") for path in said.figures.glob("*.svg")}
    assert kinds == {"said_ccc", "said_differences", "said_confusion", "said_curves"}


def test_the_confusions_diagonal_is_the_recall_of_each_class(said):
    table = pd.read_csv(said.tables / "classes.csv").set_index(["fusion", "measure"])["mean"]
    files = CorpusFiles("said", study().scoped("said"), said)
    for fusion, shares in predicted_shares(files).items():
        recalls = [table[fusion, f"recall_{name}"] for name in CLASSES]
        assert np.diag(shares) == pytest.approx(recalls, abs=1e-6)
        assert shares.sum(axis=1) == pytest.approx(1)


def test_a_corpus_without_classes_is_refused_with_the_remedy(tmp_path):
    layout, plan = Layout(tmp_path), study()
    write_utterances(layout)
    card = json.loads(layout.card("said").read_text())
    del card["classes"]
    layout.card("said").write_text(json.dumps(card))
    with pytest.raises(TrainError, match="task: classes"):
        train_run(plan.run_settings("said", "concat", 0), layout)
    usual = study(said={"root": "data/said"})
    with pytest.raises(TrainError, match="no ratings"):
        train_run(usual.run_settings("said", "concat", 0), layout)


def test_the_model_card_of_a_run_on_classes_states_its_recalls():
    found = {f"test/classes/recall_{name}": 0.25 for name in ("ang", "sad", "mean")}
    head, _, row = _scores(found, ("ang", "sad", "mean"))
    assert head == "| partition, protocol | ang recall | sad recall | mean recall |"
    assert row == "| test, classes | 0.250 | 0.250 | 0.250 |"


def test_a_video_without_what_a_fusion_reads_counts_as_wrong(said, tmp_path):
    """At least every twentieth utterance has no picture; `video` predicts nothing for it."""
    layout, plan = Layout(tmp_path), study()
    write_utterances(layout)
    plan = plan.model_copy(update={"fusions": {"video": {}}, "seeds": [0]})
    train_run(plan.run_settings("said", "video", 0), layout)
    table = pd.read_parquet(layout.run("said", "video", 0) / "classes.parquet").set_index("video")
    folder = layout.features("said", "eye")
    blind = [video for video in table.index if np.isnan(np.load(folder / f"{video}.npy")).all()]
    assert 8 <= len(blind) < 30
    assert table.loc[blind, list(CLASSES)].isna().all(axis=None)
    assert table.drop(blind)[list(CLASSES)].notna().all(axis=None)
    score_corpus("said", plan.score_settings("said"), layout)
    fit = json.loads((layout.run("said", "video", 0) / "fit.json").read_text())
    made = pd.read_parquet(layout.scores("said") / "scores.parquet").query("target == 'mean'")
    assert set(table.loc[blind, "partition"]) >= {"train", "validation"}
    for part in ("train", "validation"):
        (recall,) = made.loc[made["partition"] == part, "recall"]
        assert fit[part]["score"] == pytest.approx(recall), "training counts them in the same way"
    sums = pd.read_parquet(layout.scores("said") / "sums.parquet")
    rows = sums[sums["video"].isin(blind)]
    assert rows.groupby("video")["n"].sum().eq(1).all()
    assert not rows[["hit", "told"]].any(axis=None)
    missing = pd.read_csv(layout.scores("said") / "missing.csv")
    assert set(missing.loc[missing["stage"] == "predict", "video"]) == set(blind)
