"""The model card states how the weights were chosen, and that a run did not train."""

import pytest

from avfusion.tracking.card import LIMITS, limitations


@pytest.mark.parametrize(
    ("kind", "on", "expected"),
    [
        ("jca", "validation", "Its epoch was chosen on the validation partition"),
        ("jca", "train_subjects", "Its epoch was chosen on subjects of this partition"),
        ("ridge", "validation", "Its penalty was chosen on the validation partition"),
        ("ridge", "train_subjects", "Its penalty was chosen on subjects of this partition"),
        ("my_lab.fusions:Mine", "validation", "Its epoch was chosen on the validation partition"),
    ],
)
def test_the_card_says_what_was_chosen_and_on_which_videos(kind, on, expected):
    limits = limitations(kind, on, [])
    assert len(limits) == len(LIMITS)
    assert expected in limits[1]
    assert not any("{" in limit or "did not train" in limit for limit in limits)


def test_the_card_of_a_run_that_did_not_train_says_so_first():
    marks = ["kept epoch 1 of 40", "train CCC 0.1, ridge 0.5"]
    limits = limitations("jca", "validation", marks)
    assert limits[0] == "This run did not train: kept epoch 1 of 40; train CCC 0.1, ridge 0.5."


@pytest.mark.parametrize(
    ("task", "first", "last"),
    [
        ("ratings", "valence and arousal are ratings", "not other people"),
        ("classes", "Classes are labels", "not other people"),
        ("verification", "how similar two recordings are", "have no intervals"),
    ],
)
def test_the_card_says_what_predictions_of_its_task_mean(task, first, last):
    limits = limitations("jca", "validation", [], task)
    assert first in limits[0]
    assert last in limits[-1]
    assert ("valence" in "".join(limits)) == (task == "ratings")
