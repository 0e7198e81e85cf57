"""Trials are drawn by a seed, and the made people keep their faces and voices in all takes."""

import numpy as np
import pandas as pd
import pytest

from avfusion.corpora.demo.scene import scene
from avfusion.corpora.demo.takes import TAKES, take
from avfusion.corpora.trials import drawn, trial_checks


def people(count: int = 6, takes: int = 3) -> pd.DataFrame:
    rows = [(f"p{i}_{k}", f"p{i}") for i in range(count) for k in range(takes)]
    table = pd.DataFrame(rows, columns=["video", "subject"])
    return table.assign(partition=np.where(table["subject"] < "p2", "train", "test"))


def test_all_pairs_of_one_person_and_some_of_two():
    trials = drawn(people(), "test", 2, seed=0)
    assert trials["same"].sum() == 4 * 3
    assert (~trials["same"]).sum() == 24
    assert trials.equals(drawn(people().sample(frac=1, random_state=1), "test", 2, seed=0))
    assert not trials.equals(drawn(people(), "test", 2, seed=1))
    assert not trials.duplicated(["first", "second"]).any()
    assert all(one.verdict == "PASS" for one in trial_checks(trials, people()))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda trials: trials.assign(same=~trials["same"]), "trial labels"),
        (lambda trials: trials.assign(first="nobody"), "trial videos"),
        (lambda trials: trials.assign(first="p0_0", partition="test"), "people of trials"),
        (lambda trials: trials[trials["same"]], "kinds of test trials"),
    ],
)
def test_a_wrong_list_fails_its_check(change, name):
    trials = change(drawn(people(), "test", 2, seed=0))
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
