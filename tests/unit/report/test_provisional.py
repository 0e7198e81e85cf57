"""A provisional report shows the finished runs, says so everywhere, and touches nothing else."""

import json

import pandas as pd
import pytest

from avfusion import cli
from avfusion.config.sections import CorpusEntry
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest
from avfusion.io.stamped import write_sealed
from avfusion.layout import Layout
from avfusion.lineage.tables import read_origins
from avfusion.report.provisional import current, write_provisional
from support.recorded_study import write_study

STAMP = "PROVISIONAL, 3 of 4 runs"


@pytest.fixture(scope="module")
def made(tmp_path_factory, request):
    """A study of four runs, three of them finished, and its provisional report."""
    layout = Layout(tmp_path_factory.mktemp("study") / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(request.config.rootpath)
        study = write_study(layout)
        (layout.run("toy", "concat", 1) / "traces.parquet").unlink()
        before = contents(layout)
        folder = write_provisional(study, layout)
        yield study, layout, Layout(folder), before


def contents(layout) -> dict:
    files = [path for path in layout.results.rglob("*") if path.is_file()]
    return {
        path: path.read_bytes()
        for path in files
        if "provisional" not in path.relative_to(layout.results).parts[0]
    }


def test_every_table_and_the_page_say_how_many_runs_they_are_of(made):
    *_, view, _ = made
    tables = list(view.tables.glob("*.csv"))
    assert len(tables) > 3
    for path in tables:
        column = pd.read_csv(path)["provisional"]
        assert set(column) == ({STAMP} if len(column) else set()), path
    assert json.loads((view.tables / "summary.json").read_text())["provisional"] == STAMP
    assert {path.suffix for path in view.tables.iterdir()} == {".csv", ".json", ".md", ".tex"}
    for path in [*view.tables.glob("*.md"), *view.tables.glob("*.tex")]:
        assert STAMP in path.read_text().split("\n\n")[0], path
    page = view.page.read_text()
    assert f"<title>{STAMP}" in page
    assert f"<strong>{STAMP}.</strong>" in page
    drawn = list(view.figures.glob("*.svg"))
    assert len(drawn) > 2
    for path in drawn:
        assert STAMP in path.read_text(), path


def test_it_has_the_scores_of_the_finished_runs_alone(made):
    *_, view, _ = made
    scores = pd.read_parquet(view.scores("toy") / "scores.parquet")
    rows = scores[(scores["fusion"] == "concat") & (scores["target"] == "mean")]
    assert rows[rows["seed"] == 0]["ccc"].notna().any()
    assert rows[rows["seed"] == 1]["ccc"].isna().all()


def test_nothing_of_the_study_changes_and_nothing_can_be_taken_for_its_end(made):
    _, layout, view, before = made
    assert contents(layout) == before
    assert not layout.tables.exists()
    assert not layout.page.exists()
    assert not view.metrics.exists(), "DVC compares finished studies"


def test_what_is_recorded_of_the_tables_is_of_the_stamped_ones(made):
    *_, view, _ = made
    assert read_origins(view)["provisional"] == STAMP
    for name, recorded in read_origins(view)["tables"].items():
        assert file_digest(view.tables / name).hex() == recorded


def test_runs_of_other_settings_do_not_count(made):
    study, layout, *_ = made
    train = study.train.model_copy(update={"epochs": 99})
    other = study.model_copy(update={"train": train})
    with pytest.raises(AvfError, match="none of 4 runs is finished"):
        write_provisional(other, layout)


def test_runs_of_older_code_do_not_count(made):
    study, layout, *_ = made
    path = layout.run("toy", "audio", 0) / "settings.json"
    before = path.read_bytes()
    write_sealed(path, json.loads(before) | {"code": "that of an older version"})
    assert ("toy", "audio", 0) not in current(study, layout)
    path.write_bytes(before)
    assert ("toy", "audio", 0) in current(study, layout)


@pytest.mark.parametrize("part", ["data_hash", "predicted"])
def test_a_run_of_older_data_or_features_is_left_out(made, caplog, part):
    study, layout, *_ = made
    path = layout.run("toy", "audio", 0) / "settings.json"
    before = path.read_bytes()
    record = json.loads(before)
    older = "1" * 64 if part == "data_hash" else dict.fromkeys(record["predicted"], "1" * 64)
    write_sealed(path, record | {part: older})
    assert current(study, layout) == [("toy", "concat", 0), ("toy", "audio", 1)]
    assert f"{path.parent} left out" in caplog.text
    path.write_bytes(before)


def test_absent_corpora_that_the_study_goes_without_are_not_counted(made, tmp_path):
    study, layout, *_ = made
    away = CorpusEntry(root=str(tmp_path / "away"), is_="recola", if_present=True)
    more = study.model_copy(update={"corpora": {**study.corpora, "away": away}})
    assert read_origins(Layout(write_provisional(more, layout)))["provisional"] == STAMP


def test_a_report_that_is_stopped_leaves_the_one_before(made, monkeypatch):
    study, layout, view, _ = made

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("avfusion.report.provisional.stamp_tables", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_provisional(study, layout)
    assert read_origins(view)["provisional"] == STAMP


def test_it_is_not_packed_and_compared_with_its_stamp(made, tmp_path, capsys):
    *_, view, _ = made
    folder = str(view.results)
    assert cli.main(["pack", folder, "--out", str(tmp_path / "all.zip")]) == 1
    assert f"{STAMP}. Only finished studies are packed." in capsys.readouterr().err
    assert not (tmp_path / "all.zip").exists()
    assert cli.main(["compare", folder, folder]) == 0
    assert f"B: {folder} ({STAMP})" in capsys.readouterr().out
