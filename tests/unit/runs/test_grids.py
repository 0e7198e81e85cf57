"""A grid is chosen on validation alone, and leaves fusions without one as they are."""

import json

import pandas as pd
import pytest

from avfusion.config.grid import at_point, points
from avfusion.config.jobs import RunRecord
from avfusion.config.sections import CorpusEntry, FeatureSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError, ConfigError
from avfusion.io.atomic import write_text
from avfusion.io.shards import write_table
from avfusion.io.stamped import write_sealed, write_stamped
from avfusion.layout import Layout
from avfusion.report.tables.grids import budget, origin
from avfusion.report.tables.write import write_tables
from avfusion.runs.choose import choose
from avfusion.runs.grid import resolved
from avfusion.runs.inputs import Inputs
from avfusion.runs.train import train_run
from avfusion.schemas import PREDICTS, SEES
from support.synthetic_features import write_inputs

GRID = {"train.lr": [0.0003, 0.01], "layers": [1]}


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


def study(**changes) -> Study:
    fusions = changes.pop("fusions", {"lstm": {"grid": GRID}, "concat": {}})
    return Study(
        corpora={"toy": CorpusEntry(root="data/toy")},
        fusions=fusions,
        features=FeatureSettings(audio=["ear"], video=["eye"]),
        train={"epochs": 3, "hidden": 8},
        **changes,
    )


def train_points(plan: Study, layout: Layout, fusion: str) -> None:
    for point in points(plan.fusions[fusion]["grid"]):
        for seed in plan.grid_seeds:
            train_run(at_point(plan.run_settings("toy", fusion, seed), point), layout)


def test_points_are_every_combination_in_the_files_order():
    grid = {"train.lr": [0.1, 0.01], "head": ["a b", "a/b!"]}
    assert list(points(grid)) == [
        *("train.lr=0.1,head=a_b", "train.lr=0.1,head=a_b_"),
        *("train.lr=0.01,head=a_b", "train.lr=0.01,head=a_b_"),
    ]
    assert points({"hidden": [3]}) == {"hidden=3": {"hidden": 3}}


def test_no_grid_changes_no_settings():
    plain, other = study(), study(grid={}, grid_seeds=[5])
    run = plain.run_settings("toy", "concat", 1)
    assert run.grid == {}
    assert run.point is None
    assert other.run_settings("toy", "concat", 1) == run
    assert (
        study(fusions={"concat": {"grid": {}}}, grid=GRID).run_settings("toy", "concat", 1) == run
    )


def test_a_grid_point_is_given_no_test_video_and_predicts_validation_alone(layout):
    write_inputs(layout)
    settings = at_point(study().run_settings("toy", "lstm", 0), "train.lr=0.01,layers=1")
    assert "test" not in {*SEES, *PREDICTS}
    assert set(Inputs.read(settings, layout).videos["partition"]) == {"train", "validation"}
    train_run(settings, layout)
    folder = layout.grid_run("toy", "lstm", settings.point, 0)
    assert set(pd.read_parquet(folder / "traces.parquet")["partition"]) == {"validation"}
    assert not layout.run("toy", "lstm", 0).exists()


def test_a_grid_point_is_the_same_without_any_test_video(layout, tmp_path):
    plan = write_inputs(layout)
    other = Layout(tmp_path / "other")
    write_inputs(other, plan)
    manifest = pd.read_parquet(other.manifest("toy"))
    write_table(manifest[manifest["partition"] != "test"], other.manifest("toy"))
    settings = at_point(study().run_settings("toy", "lstm", 0), "train.lr=0.01,layers=1")
    written = []
    for at in (layout, other):
        train_run(settings, at)
        folder = at.grid_run("toy", "lstm", settings.point, 0)
        written.append([(folder / n).read_bytes() for n in ("epochs.csv", "traces.parquet")])
    assert written[0] == written[1]


def test_the_best_point_on_validation_is_chosen_and_used(layout):
    write_inputs(layout)
    plan = study()
    train_points(plan, layout, "lstm")
    result = choose(plan.grid_settings("toy", "lstm"), layout)
    best = {}
    for point in points(GRID):
        epochs = pd.read_csv(layout.grid_run("toy", "lstm", point, 0) / "epochs.csv")
        best[point] = epochs["score"].max()
    assert result["chosen"] == max(best, key=best.get) == "train.lr=0.01,layers=1"
    assert [row["score"] for row in result["points"]] == pytest.approx(list(best.values()))
    train_run(plan.run_settings("toy", "lstm", 2), layout)
    settings = json.loads((layout.run("toy", "lstm", 2) / "settings.json").read_text())
    assert settings["train"]["lr"] == 0.01
    assert settings["options"] == {"layers": 1}
    assert settings["chosen"]["points"] == 2
    assert settings["chosen"]["chosen"] == result["chosen"]
    assert settings["grid"] == {}
    traces = pd.read_parquet(layout.run("toy", "lstm", 2) / "traces.parquet")
    assert set(traces["partition"]) == {"train", "validation", "test"}


def fake(layout: Layout, point: str, *scores: float, failed: bool = False) -> None:
    folder = layout.grid_run("toy", "lstm", point, 0)
    settings = study().run_settings("toy", "lstm", 0).updated(grid={}, point=point)
    record = RunRecord(
        **dict(settings), inputs={}, data_hash="0" * 64, parameters=0, run=f"run of {point}"
    )
    table = pd.DataFrame({"epoch": range(1, len(scores) + 1), "score": scores})
    write_text(folder / "epochs.csv", table.to_csv(index=False))
    write_sealed(folder / "settings.json", record.document())
    write_stamped(pd.DataFrame({"video": []}), folder / "traces.parquet", {"run": record.run})
    if failed:
        write_text(folder / "failed.json", json.dumps({"reason": "diverged.", "next": "Lower."}))


def test_of_equal_points_the_first_is_taken_and_a_failed_one_never(layout):
    write_inputs(layout)
    plan = study(fusions={"lstm": {"grid": {"train.lr": [1.0, 0.1, 0.01]}}})
    fake(layout, "train.lr=1.0", 0.9, failed=True)
    fake(layout, "train.lr=0.1", 0.2, 0.5, 0.1)
    fake(layout, "train.lr=0.01", 0.5)
    result = choose(plan.grid_settings("toy", "lstm"), layout)
    assert result["chosen"] == "train.lr=0.1"
    assert result["points"][0]["score"] is None
    assert "diverged" in result["points"][0]["failed"]


def test_where_all_points_failed_the_first_is_taken_so_that_its_runs_say_why(layout):
    write_inputs(layout)
    plan = study(fusions={"lstm": {"grid": {"train.lr": [1.0, 0.1]}}})
    for point in points(plan.fusions["lstm"]["grid"]):
        fake(layout, point, failed=True)
    result = choose(plan.grid_settings("toy", "lstm"), layout)
    assert (result["chosen"], result["score"]) == ("train.lr=1.0", None)


def test_what_was_not_chosen_or_chosen_from_another_grid_is_refused(layout):
    write_inputs(layout)
    plan = study(fusions={"lstm": {"grid": {"train.lr": [1.0]}}})
    with pytest.raises(AvfError, match=r"not trained.*avf train toy lstm --point 'train\.lr=1\.0'"):
        choose(plan.grid_settings("toy", "lstm"), layout)
    run = plan.run_settings("toy", "lstm", 0)
    with pytest.raises(AvfError, match=r"nothing chosen yet.*avf choose toy lstm"):
        resolved(run, layout)
    fake(layout, "train.lr=1.0", 0.5)
    choose(plan.grid_settings("toy", "lstm"), layout)
    with pytest.raises(AvfError, match="another grid"):
        resolved(run.updated(grid={"train.lr": [2.0]}), layout)
    with pytest.raises(ConfigError, match=r"no grid point 'x'. Its points: train\.lr=1\.0"):
        at_point(run, "x")


def test_the_chosen_options_make_the_run_that_they_would_make_in_the_config(layout):
    write_inputs(layout)
    fake(layout, "train.lr=0.01,layers=1", 0.5)
    fake(layout, "train.lr=0.0003,layers=1", 0.4)
    plan = study()
    choose(plan.grid_settings("toy", "lstm"), layout)
    plain = study(fusions={"lstm": {"layers": 1, "train": {"lr": 0.01}}})
    assert resolved(plan.run_settings("toy", "lstm", 0), layout)[0] == plain.run_settings(
        "toy", "lstm", 0
    )


def test_the_table_states_each_fusions_tries_and_flags_the_one_with_more(layout):
    write_inputs(layout)
    grids = {
        "lstm": {"grid": GRID},
        "concat": {"grid": {"train.lr": [1.0, 2.0]}},
        "late": {"grid": {"train.lr": [1.0, 2.0, 3.0]}},
    }
    plan = study(fusions=grids)
    fake(layout, "train.lr=0.01,layers=1", 0.25, 0.5)
    fake(layout, "train.lr=0.0003,layers=1", 0.4)
    choose(plan.grid_settings("toy", "lstm"), layout)
    write_tables(plan, layout, ["grids"])
    table = pd.read_csv(layout.tables / "grids.csv").set_index("fusion")
    assert dict(table["points"]) == {"lstm": 2, "concat": 2, "late": 3}
    assert dict(table["more"]) == {"lstm": False, "concat": False, "late": True}
    assert table.loc["lstm", ["chosen", "score", "least"]].to_list() == [
        *("train.lr=0.01,layers=1", 0.5, 0.4)
    ]
    assert table.loc["late", "chosen"] == "not run"
    (sentence,) = budget(plan)
    assert "late from 3 points, for the other fusions from 2" in sentence
    sentence = "chosen on validation from 2 points: train.lr=0.01, layers=1"
    assert origin("toy", "lstm", plan, layout) == sentence


def test_equal_tries_are_not_flagged_and_no_grid_writes_no_table(layout):
    assert budget(study(fusions={"lstm": {}, "late": {}}, grid=GRID)) == []
    write_tables(study(fusions={"lstm": {}}), layout, ["grids"])
    assert not (layout.tables / "grids.csv").exists()


def test_points_of_former_features_are_not_chosen_from(layout):
    """Other features of train or validation, that is; those of test are no business of a point."""
    write_inputs(layout)
    plan = study(fusions={"lstm": {"grid": {"train.lr": [0.01]}}})
    train_points(plan, layout, "lstm")
    result = choose(plan.grid_settings("toy", "lstm"), layout)
    path = layout.features("toy", "eye") / "index.parquet"
    index, split = pd.read_parquet(path), pd.read_parquet(layout.manifest("toy"))
    part = index["video"].map(dict(zip(split["video"], split["partition"], strict=True)))
    write_table(index.assign(sha256=index["sha256"].mask(part == "test", "0" * 64)), path)
    assert choose(plan.grid_settings("toy", "lstm"), layout) == result
    write_table(index.assign(sha256=index["sha256"].mask(part == "train", "0" * 64)), path)
    with pytest.raises(AvfError, match=r"trained on features eye .*avf train toy lstm --point"):
        choose(plan.grid_settings("toy", "lstm"), layout)
