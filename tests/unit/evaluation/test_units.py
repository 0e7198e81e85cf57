"""Units of resampling: videos of one person are drawn and exchanged at once where asked."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation import inference, units
from avfusion.evaluation.score import score_corpus
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import target_scores
from avfusion.report.sentences import caveats, comparison_header
from avfusion.report.tables.folds import pooled
from avfusion.report.tables.part import read_part
from support.synthetic_results import Plan, write_results

STATISTICS = StatisticsSettings(draws=400, unit="video")
BY_SUBJECT = StatisticsSettings(draws=400, unit="subject")
SUBJECTS = np.array([0, 0, 1, 1, 2, 2, 3, 3])


def test_a_unit_is_drawn_with_all_of_its_videos():
    weight = inference.draw(8, 50, 0, SUBJECTS)
    assert (weight[:, ::2] == weight[:, 1::2]).all()
    assert (weight[:, ::2] == inference.draw(4, 50, 0)).all()


def test_a_unit_changes_sides_with_all_of_its_videos():
    swap, exact = inference.exchanges(8, 100, 0, SUBJECTS)
    assert exact
    assert swap.shape == (16, 8)
    assert (swap[:, ::2] == swap[:, 1::2]).all()
    assert len(np.unique(swap, axis=0)) == 16


def test_a_recall_is_as_sure_as_its_class_has_people():
    n = np.zeros((1, 2, 8, 3))
    n[0, 0, :, 0], n[0, 1, :2, 0] = [0, 0, 1, 1, 1, 1, 1, 1], 1  # the second class: one person
    n[0, :, :, 1] = n[0, :, :, 0]  # all told right
    samples = target_scores(n, inference.draw(8, 100, 0, SUBJECTS), "recall").mean(axis=0)
    low, _ = inference.interval_of_targets(samples, n, "recall", 0.05, SUBJECTS)
    assert np.isfinite(low[0])
    assert np.isnan(low[1])
    low, _ = inference.interval_of_targets(samples, n, "recall", 0.05)
    assert np.isfinite(low[1])


def with_(study: Study, statistics: StatisticsSettings) -> Study:
    return study.model_copy(update={"statistics": statistics})


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A scored study whose 12 test videos show 6 people."""
    layout = Layout(tmp_path_factory.mktemp("shared"))
    errors = {"video": 0.3, "ca": 0.15}
    study = write_results(layout, Plan(errors=errors, seeds=(0,), failed=()))
    study = with_(study, STATISTICS).model_copy(update={"protocols": ["pooled", "per_video"]})
    table = pd.read_parquet(layout.manifest("demo"))
    table["subject"] = [f"{v[:-2]}{int(v[-2:]) // 2}" for v in table["video"]]
    write_table(table, layout.manifest("demo"))
    score_corpus("demo", study.score_settings("demo"), layout)
    return layout, study


def test_videos_that_share_people_are_said_to_where_each_is_taken_alone(shared):
    layout, study = shared
    lines = caveats(read_part("demo", study, layout).scored, study)
    assert any("The 12 videos show 6 subjects." in line for line in lines)
    study = with_(study, BY_SUBJECT)
    part = read_part("demo", study, layout)
    assert not any("show 6 subjects" in line for line in caveats(part.scored, study))
    assert "interval over subjects and trainings" in comparison_header(part.scored, study)


def test_people_are_the_units_where_they_recur_and_nobody_asks_otherwise(shared):
    layout, study = shared
    part = read_part("demo", with_(study, StatisticsSettings(draws=400)), layout)
    assert (part.scored.units, part.scored.unit_word) == (6, "subject")
    assert set(part.scores["unit"]) == {"subject"}


def test_a_person_in_two_folds_is_one_unit_of_them_together(shared):
    layout, study = shared
    fold = read_part("demo", with_(study, BY_SUBJECT), layout).scored
    merged = pooled("both", [fold, replace(fold, corpus="again")])
    assert (len(merged.videos), merged.units) == (24, 6)


def test_points_are_the_same_by_subject_and_intervals_are_not(shared):
    layout, study = shared
    both = [read_part("demo", with_(study, by), layout) for by in (STATISTICS, BY_SUBJECT)]
    for name in ("scores", "pairs"):
        tables = [getattr(part, name).reset_index(drop=True) for part in both]
        value = "mean" if name == "scores" else "difference"
        assert tables[0][value].to_list() == tables[1][value].to_list()
        assert (tables[0]["low"] != tables[1]["low"]).all()


def test_a_video_of_nobody_named_is_a_subject_of_its_own(tmp_path):
    layout = Layout(tmp_path)
    write_table(
        pd.DataFrame({"video": ["a", "b", "c"], "subject": ["ann", None, None]}),
        layout.manifest("toy"),
    )
    names = units.subjects("toy", ["a", "b", "c"], layout)
    assert len(set(names)) == 3
    write_table(pd.DataFrame({"video": ["a"], "subject": [None]}), layout.manifest("toy"))
    with pytest.raises(AvfError, match="no subject is named"):
        units.subjects("toy", ["a"], layout, BY_SUBJECT)
    assert names[0] == "ann"
