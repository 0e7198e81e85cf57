"""What corruption costs: known curves, equal draws, resumption, and what the report makes of it."""

import itertools
import json
import logging
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from avfusion import cli
from avfusion.config.corruptions import CLEAN
from avfusion.config.study import Study
from avfusion.errors import AvfError, TrainError
from avfusion.evaluation.score import score_corpus
from avfusion.fingerprint import fingerprint, used
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import SUMS, video_sums
from avfusion.protocols.protocol import load
from avfusion.report.tables.write import write_tables
from avfusion.robustness import curves, stage
from avfusion.robustness.curve_estimates import comparisons
from avfusion.robustness.curves import loss_shares, shares
from avfusion.robustness.stage import robust_corpus, write_part
from support import robust_study
from support.robust_study import LEVELS

CORPUS = "toy"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(study, layout, robustness.csv) of three fusions with two seeds."""
    layout = Layout(tmp_path_factory.mktemp("robust"))
    study = robust_study.make(layout, ["audio", "video", "concat"])
    return study, layout, robust_study.corrupt(study, layout)


def curve(table: pd.DataFrame, fusion: str, corruption: str) -> np.ndarray:
    rows = table[(table["fusion"] == fusion) & (table["corruption"] == corruption)]
    return rows[rows["target"] == "mean"].sort_values("level")["mean"].to_numpy()


def test_a_fusion_without_audio_does_not_feel_audio_missing(done):
    for corruption in ("audio_missing", "audio_late", "audio_feature_noise"):
        flat = curve(done[2], "video", corruption)
        assert len(flat) == 1 + len(LEVELS[corruption])
        assert (flat == flat[0]).all()
        assert len(set(curve(done[2], "audio", corruption))) > 1
    assert len(set(curve(done[2], "audio", "video_missing"))) == 1
    assert len(set(curve(done[2], "video", "video_missing"))) > 1


def test_audio_alone_without_audio_knows_nothing(tmp_path):
    layout = Layout(tmp_path)
    study = robust_study.make(layout, ["audio"], seeds=[0], robustness={"audio_missing": [1.0]})
    clean, nothing = curve(robust_study.corrupt(study, layout), "audio", "audio_missing")
    assert abs(nothing) < 0.05 < clean


def test_whole_input_scores_as_the_run_itself_does(done):
    study, layout, _ = done
    score_corpus(CORPUS, study.score_settings(CORPUS), layout)
    ours = pd.read_parquet(layout.robustness(CORPUS) / "sums.parquet")
    ours = ours[ours["corruption"] == "whole"]
    theirs = pd.read_parquet(layout.scores(CORPUS) / "sums.parquet")
    key = ["fusion", "seed", "target", "video"]
    both = ours.merge(theirs[theirs["partition"] == "test"], on=key, suffixes=("", "_score"))
    assert len(both) == len(ours) == 3 * 2 * 2 * 4
    for name in SUMS:
        assert (both[name] == both[f"{name}_score"]).all()


def test_every_run_meets_the_same_draw(done):
    study, layout, _ = done
    masks = []
    for fusion in study.fusions:
        for seed in study.seeds:
            folder = layout.robustness(CORPUS) / fusion / f"seed{seed}"
            masks.append(pd.read_parquet(folder / "traces.parquet")[["has_audio", "has_video"]])
    assert all(mask.equals(masks[0]) for mask in masks)


def test_the_share_absent_is_at_least_what_was_asked_for_and_what_was_absent_before(done):
    """A stretch that is removed overlaps clips of both its neighbours."""
    table = done[2]
    rows = table[table["corruption"] == "audio_missing"].groupby("level")["absent"].first()
    assert rows[0.0] == pytest.approx(0.1)
    for level in LEVELS["audio_missing"]:
        assert level - 0.05 <= rows[level] <= 2 * level + 0.15  # a tenth of the clips had no sound
    lines = (done[1].tables / "robustness.md").read_text().splitlines()
    cells = next(line.split("|") for line in lines if "(clips without it)" in line)
    assert [cell.strip() for cell in cells[2:-1]] == [f"{100 * share:.0f}%" for share in rows]


def test_predictions_are_there_before_gold_is_opened(done, tmp_path):
    """With other test ratings the predictions are the same, byte for byte."""
    layout = Layout(tmp_path)
    study = robust_study.make(layout, ["concat"], seeds=[0])
    gold = pd.read_parquet(layout.gold(CORPUS))
    gold.loc[gold["video"].str.startswith("test"), ["valence", "arousal"]] *= -1
    write_table(gold, layout.gold(CORPUS))
    robust_corpus(CORPUS, study.robust_settings(), layout)
    there = [where.robustness(CORPUS) / "concat" / "seed0" / "traces.parquet"
             for where in (layout, done[1])]  # fmt: skip
    assert there[0].read_bytes() == there[1].read_bytes()


def test_a_stopped_job_goes_on_with_what_is_not_whole(done, caplog):
    study, layout, _ = done
    folders = [layout.robustness(CORPUS) / f / "seed0" for f in ("audio", "concat")]
    before = [(folder / "traces.parquet").stat().st_mtime_ns for folder in folders]
    wanted = (folders[1] / "traces.parquet").read_bytes()
    (folders[1] / "settings.json").unlink()  # written last: without it the traces are not whole
    robust_corpus(CORPUS, study.robust_settings(), layout)
    after = [(folder / "traces.parquet").stat().st_mtime_ns for folder in folders]
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert (folders[1] / "traces.parquet").read_bytes() == wanted


def test_other_levels_are_predicted_anew_and_refused_until_then(done, tmp_path):
    study, layout = done[0], Layout(tmp_path)
    os.symlink(done[1].results / "manifest", tmp_path / "manifest")
    for name in ("features", "runs"):
        os.symlink(done[1].results / name, tmp_path / name)
    robust_corpus(CORPUS, study.robust_settings(), layout)
    other = study.model_copy(update={"robustness": {"audio_missing": [0.4]}})
    with pytest.raises(AvfError, match="avf robust toy"):
        write_tables(other, layout, ["robustness"])
    robust_corpus(CORPUS, other.robust_settings(), layout)
    write_tables(other, layout, ["robustness"])
    table = pd.read_csv(layout.tables / "robustness.csv")
    assert set(table["level"]) == {0.0, 0.4}


def test_a_run_that_is_not_itself_any_more_is_refused(tmp_path):
    layout = Layout(tmp_path)
    study = robust_study.make(layout, ["concat"], seeds=[0])
    path = layout.run(CORPUS, "concat", 0) / "traces.parquet"
    traces = pd.read_parquet(path)
    write_table(traces.assign(valence=traces["valence"] + 0.01), path)
    with pytest.raises(TrainError, match="avf infer"):
        robust_corpus(CORPUS, study.robust_settings(), layout)


def test_a_run_that_is_absent_is_left_out_and_named(done, tmp_path, caplog):
    study = done[0].model_copy(update={"fusions": {**done[0].fusions, "late": {}}})
    robust_corpus(CORPUS, study.robust_settings(), done[1])
    assert "late seed 0 left out: not trained" in caplog.text
    write_tables(study, done[1], ["robustness"])
    assert set(pd.read_csv(done[1].tables / "robustness.csv")["fusion"]) == set(done[0].fusions)
    with pytest.raises(AvfError, match="avf train"):
        robust_corpus(CORPUS, study.robust_settings().updated(fusions=["late"]), done[1])


def test_the_parts_deal_out_every_run_once(done):
    study, layout, _ = done
    folder, runs = layout.robustness(CORPUS), []
    for i in range(2):
        write_part(CORPUS, (i, 2), study.robust_settings(), layout)
        runs += json.loads((folder / f"part-{i}-of-2.json").read_text())
    assert sorted(runs) == sorted(f"{f}/seed{s}" for f in study.fusions for s in study.seeds)


def test_progress_is_held_back_for_some_seconds_and_its_last_line_is_shown(
    done, caplog, monkeypatch
):
    """Runs that are read together count by the share of their cases."""
    study, layout, _ = done
    caplog.set_level(logging.INFO)
    settings, now_s = study.robust_settings(), itertools.count(step=2)
    monkeypatch.setattr(stage, "time", SimpleNamespace(monotonic=lambda: next(now_s)))
    stage.predict_runs(CORPUS, (0, 1), settings, layout)
    words = f"{CORPUS}: corrupted input to"
    told = [line for line in caplog.messages if line.startswith(words)]
    assert told == [f"{words} 3.0 of 6 runs", f"{words} 6.0 of 6 runs"]

    caplog.clear()
    for seed in study.seeds:
        (layout.robustness(CORPUS) / f"concat/seed{seed}/settings.json").unlink()
    monkeypatch.setattr(stage, "LOG_EVERY_S", 0)
    stage.predict_runs(CORPUS, (0, 1), settings, layout)
    told = [line for line in caplog.messages if line.startswith(words)]
    shown = [float(line.split()[-4]) for line in told]
    assert shown == sorted(shown)
    assert shown[-1] == 6
    assert any(value % 1 for value in shown)


def test_areas_are_losses_paired_by_video(done):
    """The difference is what the other loses more; video loses nothing under missing audio."""
    areas = pd.read_csv(done[1].tables / "areas.csv")
    losses = pd.read_csv(done[1].tables / "losses.csv").set_index(
        ["corruption", "target", "fusion"]
    )
    means, losses = losses["mean"], losses["loss"]
    assert (losses.loc["audio_missing", :, "video"] == 0).all()
    for row in areas.itertuples():
        mine, other = (losses[row.corruption, row.target, f] for f in (row.fusion, row.other))
        assert row.difference == pytest.approx(other - mine, abs=2e-6)
        assert row.low <= row.difference <= row.high
        assert 0 < row.p <= row.p_holm <= 1
        mine, other = (means[row.corruption, row.target, f] for f in (row.fusion, row.other))
        assert row.area == pytest.approx(mine - other, abs=2e-6)
        assert row.area_low <= row.area <= row.area_high


def test_loss_of_known_curves():
    """A flat curve loses nothing; one that falls in a line to 0 loses half its start."""
    levels = np.array([0.0, 0.1, 0.3, 1.0])
    assert loss_shares(levels) @ np.full(4, 0.7) == pytest.approx(0)
    assert loss_shares(levels) @ (0.8 * (1 - levels)) == pytest.approx(0.4)
    assert loss_shares(3 * levels) @ (0.8 * (1 - levels)) == pytest.approx(0.4)
    assert shares(levels) @ np.full(4, 0.7) == pytest.approx(0.7)


def test_equal_curves_lose_alike_and_a_clear_loser_is_found():
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(2, 9, 200))

    def run(errors):
        cases = [CLEAN, ("audio_missing", 0.5), ("audio_missing", 1.0)]
        each = [
            [[video_sums(g + e * rng.normal(size=200), g) for g in rows] for rows in gold]
            for e in errors
        ]
        return dict(zip(cases, map(np.array, each), strict=True))

    stays, falls = run([0.1, 0.1, 0.1]), run([0.1, 2.0, 4.0])
    made = curves.Curves(
        "toy", load("pooled"), "test", [f"v{i}" for i in range(9)],
        {"audio_missing": np.array([0, 0.5, 1.0])}, {},
        {"stays": {0: stays}, "again": {0: stays}, "falls": {0: falls}},
    )  # fmt: skip
    study = Study(corpora={"toy": {"root": "."}}, fusions={"ca": {}}, statistics={"draws": 600})
    table = comparisons(made, study).query("target == 'mean'").set_index(["fusion", "other"])
    assert table.loc[("stays", "again"), "p"] == 1
    assert table.loc[("stays", "again"), "difference"] == 0
    row = table.loc[("stays", "falls")]
    assert row["p_holm"] < 0.001
    assert row["significant"]
    assert row["low"] > 0
    assert row["area_low"] > 0


def test_claims_and_published_numbers_find_what_they_read(done):
    areas = pd.read_csv(done[1].tables / "areas.csv")
    wanted = ["corpus", "corruption", "target", "fusion", "other", "difference", "low", "high"]
    assert {*wanted, "p"} <= set(areas)
    assert {"corpus", "fusion", "corruption", "level", "target", "mean", "low", "high",
            "seeds"} <= set(done[2])  # fmt: skip


def test_pages_name_corruption_levels_and_what_is_told_apart(done):
    page = (done[1].tables / "robustness.md").read_text()
    for word in ("audio_missing", "30%", "90%", "0.64 s", "0 dB", "clean"):
        assert word in page
    assert (
        "loses less than" in (done[1].tables / "areas.md").read_text()
        or "No significant difference" in (done[1].tables / "areas.md").read_text()
    )
    assert "\\begin{table}" in (done[1].tables / "areas.tex").read_text()


def test_without_robustness_no_stale_table_is_left(done, tmp_path):
    layout = Layout(tmp_path)
    layout.tables.mkdir()
    (layout.tables / "areas.csv").write_text("corpus\n")
    write_tables(done[0].model_copy(update={"robustness": {}}), layout, ["robustness", "areas"])
    assert not list(layout.tables.iterdir())


def test_a_corpus_not_run_says_so(done, tmp_path):
    layout = Layout(tmp_path)
    assert curves.read_curves(CORPUS, done[0], layout) is None
    write_tables(done[0], layout, ["robustness"])
    assert "Not run" in (layout.tables / "areas.md").read_text()
    assert len(pd.read_csv(layout.tables / "areas.csv")) == 0


def test_the_command_does_all_of_it(done, capsys):
    path = done[1].results / "settings.json"
    path.write_text(json.dumps(done[0].robust_settings().document()))
    words = ["robust", CORPUS, "--results", str(done[1].results), "--settings", str(path)]
    assert cli.main(words) == 0


@pytest.mark.slow
def test_the_rule_is_due_only_where_the_study_asks(copy):
    asked = ("--configfile", "tiny.yaml")
    assert "robust" not in copy.jobs("all", asked)
    copy.edit("tiny.yaml", "seeds: [0]", "seeds: [0]\nrobustness: {audio_missing: [0.5]}")
    assert copy.jobs("all", asked)["robust"] == 1


def test_predictions_that_are_gone_are_made_again(done):
    study, layout, _ = done
    path = layout.robustness(CORPUS) / "audio" / "seed0" / "traces.parquet"
    before = path.read_bytes()
    path.unlink()
    robust_corpus(CORPUS, study.robust_settings(), layout)
    assert path.read_bytes() == before


def test_predictions_are_kept_by_the_code_that_makes_them(done):
    behind = {module for module, _ in used("avfusion.robustness.predict:predict")}
    needed = {
        "features.corrupt",
        "features.store",
        "features.windows",
        "runs.predictor",
        "runs.inputs",
    }
    assert {f"avfusion.{name}" for name in needed} <= behind
    assert done[0].robust_settings().code == fingerprint("avfusion.robustness.predict:predict")
