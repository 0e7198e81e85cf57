"""Trials are drawn by a seed, and the made people keep their faces and voices in all takes."""

import numpy as np
import pandas as pd
import pytest

from avfusion.corpora.demo.scene import scene
from avfusion.corpora.demo.takes import TAKES, take
from avfusion.corpora.trials import MOST_SAME, drawn, trial_checks


def people(count: int = 6, takes: int = 3) -> pd.DataFrame:
    rows = [(f"p{i}_{k}", f"p{i}") for i in range(count) for k in range(takes)]
    table = pd.DataFrame(rows, columns=["video", "subject"])
    return table.assign(partition=np.where(table["subject"] < "p2", "train", "test"))


def test_all_pairs_of_one_person_and_some_of_two():
    trials = drawn(people(), "test", 0, 2)
    assert trials["same"].sum() == 4 * 3
    assert (~trials["same"]).sum() == 24
    assert trials.equals(drawn(people().sample(frac=1, random_state=1), "test", 0, 2))
    assert not trials.equals(drawn(people(), "test", 1, 2))
    assert not trials.duplicated(["first", "second"]).any()
    assert all(one.verdict == "PASS" for one in trial_checks(trials, people()))


def test_people_with_many_videos_have_few_trials_each():
    """As in VoxCeleb1: 61 people with 123 videos have 450,000 pairs of one person."""
    rows = [(f"p{i:02d}_{k}", f"p{i:02d}") for i in range(61) for k in range(3 if i == 5 else 123)]
    table = pd.DataFrame(rows, columns=["video", "subject"]).assign(partition="validation")
    trials = drawn(table, "validation", 0)
    assert trials["same"].sum() == MOST_SAME
    assert (~trials["same"]).sum() == 10 * MOST_SAME
    assert not trials.duplicated(["first", "second"]).any()
    assert (trials["first"] < trials["second"]).all()
    person = trials["first"].str[:3]
    assert (trials["same"] == (person == trials["second"].str[:3])).all()
    counts = person[trials["same"]].value_counts()
    assert counts.pop("p05") == 3
    assert counts.between(83, 84).all()
    assert len(counts) == 60
    assert trials.equals(drawn(table, "validation", 0))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda trials: trials.assign(same=~trials["same"]), "trial labels"),
        (lambda trials: trials.assign(first="unlisted"), "trial videos"),
        (lambda trials: trials.assign(first="p0_0", partition="test"), "people of trials"),
        (lambda trials: trials[trials["same"]], "kinds of test trials"),
    ],
)
def test_a_wrong_list_fails_its_check(change, name):
    trials = change(drawn(people(), "test", 0, 2))
    failed = {one.name for one in trial_checks(trials, people()) if one.verdict == "FAIL"}
    assert name in failed


def test_takes_of_a_person_share_face_and_voice_and_nothing_else():
    first, second, other = take(0, 4.0, 7), take(1, 4.0, 7), take(TAKES, 4.0, 7)
    assert (first.subject, first.speaker) == (second.subject, second.speaker)
    assert first.partition == second.partition == scene(0, 4.0, 7).partition
    np.testing.assert_array_equal(first.rng(2).random(4), second.rng(2).random(4))
    for stream in (0, 1, 3, 4):
        assert not np.array_equal(first.rng(stream).random(4), second.rng(stream).random(4))
    assert first.subject != other.subject
    assert not np.array_equal(first.rng(2).random(4), other.rng(2).random(4))
    assert not np.array_equal(first.valence, second.valence)
