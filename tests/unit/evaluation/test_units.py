"""Units of resampling: videos of one person are drawn and exchanged at once where asked."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from avfusion.config.sections import StatisticsSettings
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.evaluation import inference, units
from avfusion.evaluation.paired import Resampling, difference, trend
from avfusion.evaluation.score import score_corpus
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.metrics.sums import target_scores, video_sums
from avfusion.report.sentences import caveats, comparison_header, other_trainings
from avfusion.report.tables.folds import pooled
from avfusion.report.tables.part import read_part
from support.synthetic_results import Plan, write_results

STATISTICS = StatisticsSettings(draws=400)
BY_SUBJECT = StatisticsSettings(draws=400, unit="subject")
SUBJECTS = np.array([0, 0, 1, 1, 2, 2, 3, 3])


def sums(rng: np.random.Generator, person_error: float, people: int, each: int) -> np.ndarray:
    """Sums (1, 1, V, 6): the error of a fusion is the person's, the same in all their videos."""
    wrong = np.repeat(rng.normal(0, person_error, people), each)
    gold = rng.normal(0, 1, (people * each, 30))
    p = gold + wrong[:, None] + rng.normal(0, 0.1, gold.shape)
    return np.stack([video_sums(*pair) for pair in zip(p, gold, strict=True)])[None, None]


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


@pytest.mark.parametrize("what", [difference, lambda b, w, how: trend([w, b], how)])
def test_each_video_its_own_unit_is_no_unit_at_all(what):
    rng = np.random.default_rng(2)
    pair = [sums(rng, 0.5, 6, 1) for _ in range(2)]
    plain, each = (
        what(*pair, Resampling("pooled", 400, 0.05, 0, unit)) for unit in (None, np.arange(6))
    )
    assert (plain.value, plain.low, plain.high, plain.p) == (
        each.value,
        each.low,
        each.high,
        each.p,
    )


def test_copies_of_a_persons_video_make_nothing_surer():
    """Ten copies of each video are no more evidence: interval and p stay those of one."""
    rng = np.random.default_rng(4)
    one = [sums(rng, error, 8, 1) for error in (0.2, 0.5)]
    copies = [np.repeat(each, 10, axis=2) for each in one]
    plain = difference(*one, Resampling("pooled", 400, 0.05, 0))
    person = difference(*copies, Resampling("pooled", 400, 0.05, 0, np.repeat(np.arange(8), 10)))
    blind = difference(*copies, Resampling("pooled", 400, 0.05, 0))
    assert (person.low, person.high, person.p) == pytest.approx((plain.low, plain.high, plain.p))
    assert blind.high - blind.low < 0.6 * (plain.high - plain.low)


def test_fusions_that_err_by_person_are_seldom_told_apart_by_subject_and_often_by_video():
    rng, wrong = np.random.default_rng(6), []
    for _ in range(60):
        pair = [sums(rng, 0.5, 8, 8) for _ in range(2)]
        ways = (np.repeat(np.arange(8), 8), None)
        wrong.append(
            [inference.swap_test(*pair, "pooled", 256, 0, unit)[-1] <= 0.05 for unit in ways]
        )
    by_subject, by_video = np.mean(wrong, axis=0)
    assert by_subject < 0.12
    assert by_video > 0.3


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
    lines = caveats(read_part("demo", study, layout).scored, study, 1)
    assert any("The 12 videos show 6 subjects." in line for line in lines)
    study = with_(study, BY_SUBJECT)
    part = read_part("demo", study, layout)
    assert not any("show 6 subjects" in line for line in caveats(part.scored, study, 1))
    assert "all 64 exchanges of the two fusions subject by subject" in comparison_header(
        part.scored, study
    )


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


@pytest.mark.parametrize(
    ("seeds", "p", "words"),
    [
        (1, [np.nan, np.nan], "one training each"),
        (3, [0.01, 0.2], "b (p = 0.200)"),
        (3, [0, 0], ""),
    ],
)
def test_a_lead_that_seeds_do_not_bear_out_is_said_to_be_of_these_trainings(
    shared, seeds, p, words
):
    beaten = pd.DataFrame({"other": ["a", "b"], "seeds": seeds, "p_seeds": p})
    text = " ".join(other_trainings(beaten, shared[1]))
    assert words in text
    assert bool(words) == bool(text)
    assert "a (p" not in text


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
