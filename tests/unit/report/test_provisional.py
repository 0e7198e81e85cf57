"""A provisional report shows the finished runs, says so everywhere, and touches nothing else."""

import pandas as pd
import pytest

from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest
from avfusion.layout import Layout
from avfusion.lineage.tables import read_origins
from avfusion.report.provisional import write_provisional
from support.recorded_study import write_study

STAMP = "PROVISIONAL, 3 of 4 runs"


@pytest.fixture(scope="module")
def made(tmp_path_factory, request):
    """A study of four runs, one of which is not finished, and its provisional report."""
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
        if path.stat().st_size > 2:
            assert set(pd.read_csv(path)["provisional"]) <= {STAMP}, path
    for path in [*view.tables.glob("*.md"), *view.tables.glob("*.tex")]:
        assert STAMP in path.read_text().split("\n\n")[0], path
    page = view.page.read_text()
    assert f"<title>{STAMP}" in page
    assert f"<strong>{STAMP}.</strong>" in page
    assert STAMP in (view.figures / "toy_ccc.svg").read_text() or list(view.figures.glob("*.png"))


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
    for name, recorded in read_origins(view)["tables"].items():
        assert file_digest(view.tables / name).hex() == recorded


def test_runs_of_other_settings_do_not_count(made):
    study, layout, *_ = made
    train = study.train.model_copy(update={"epochs": 99})
    other = study.model_copy(update={"train": train})
    with pytest.raises(AvfError, match="none of 4 runs is finished"):
        write_provisional(other, layout)
