"""Learning rates: equal to formulas written in NumPy, and to those of published training codes."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from avfusion.training.loop import fit
from avfusion.training.rule import FitRule
from avfusion.training.schedules import Rates
from support.small_fit import schedule_of, small_fit

LR, EPOCHS, BATCHES = 1e-4, 50, 7


def rates(given: dict, lr=LR, epochs=EPOCHS, batches=BATCHES, values=None) -> np.ndarray:
    """The rate of every batch (epochs, batches); values: loss and score of each epoch."""
    rule = FitRule(epochs, epochs, lr, 0.0, optimiser="sgd", schedule=schedule_of(given))
    optimiser = rule.optimiser_of([nn.Parameter(torch.zeros(1))])
    found, schedule = np.zeros((epochs, batches)), Rates(optimiser, rule.schedule, lr, epochs)
    for epoch in range(epochs):
        schedule.start_epoch(epoch, batches)
        for batch in range(batches):
            found[epoch, batch] = schedule.now
            optimiser.step()
            schedule.end_batch()
        schedule.end_epoch(epoch, *(values[epoch] if values is not None else (0.0, 0.0)))
    return found


def assert_rates(found: np.ndarray, by_epoch) -> None:
    expected = np.broadcast_to(np.reshape(by_epoch, (len(found), -1)), found.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_constant_rate_is_that_of_the_settings_to_the_last_bit():
    assert set(rates({}).ravel()) == {LR}


def test_the_published_code_of_tbiom_raises_the_rate_after_epoch_5_and_lowers_it():
    """Of T-BIOM, RJCA and DCA: set in each epoch of index above 5, from a rate of its own."""
    expected = [LR if epoch <= 5 else 1e-3 * 0.8 ** ((epoch - 5) // 2) for epoch in range(EPOCHS)]
    assert expected[6] == 1e-3
    assert expected[7] == 1e-3 * 0.8
    found = rates({"is": "step", "factor": 0.8, "every": 2, "after": 5, "lr": 1e-3})
    assert_rates(found, expected)


@pytest.mark.parametrize(("lr", "after"), [(1e-3, 5), (1e-4, 15)], ids=["cvprw2022", "fg2021"])
def test_the_published_codes_of_cvprw_and_fg_lower_the_rate_every_second_epoch(lr, after):
    epoch = np.arange(EPOCHS)
    expected = lr * np.where(epoch <= after, 1, 0.8 ** np.floor((epoch - after) / 2))
    assert_rates(rates({"is": "step", "factor": 0.8, "every": 2, "after": after}, lr), expected)


def test_exponential_falls_in_every_epoch_after_the_named_one():
    epoch = np.arange(EPOCHS)
    found = rates({"is": "exponential", "factor": 0.65, "after": 3})
    assert_rates(found, LR * 0.65 ** np.maximum(0, epoch - 3))
    assert_rates(rates({"is": "exponential", "factor": 0.65}), LR * 0.65**epoch)


def test_cosine_falls_along_half_a_cosine_over_all_epochs():
    epoch = np.arange(EPOCHS)
    expected = 1e-6 + (LR - 1e-6) * (1 + np.cos(np.pi * epoch / EPOCHS)) / 2
    assert_rates(rates({"is": "cosine", "least": 1e-6}), expected)


def lowered(values, lr, patience, factor, least, better) -> list[float]:
    """The rate of each epoch by the rule in words, without PyTorch."""
    found, best, waited = [], None, 0
    for value in values:
        found.append(lr)
        waited = 0 if best is None or better(value, best) else waited + 1
        if waited == 0:
            best = value
        if waited > patience:
            lr, waited = max(lr * factor, least), 0
    return found


@pytest.mark.parametrize("on", ["validation", "loss"])
def test_plateau_follows_the_validation_score_or_the_loss(on):
    """Scores go below 0, where a relative threshold would take a worse score for a better one."""
    draw = np.random.default_rng(3)
    values = np.stack([draw.normal(size=EPOCHS), draw.normal(size=EPOCHS) - 1], axis=1)
    better = np.greater if on == "validation" else np.less
    watched = values[:, 1 if on == "validation" else 0]
    expected = lowered(watched, 1e-2, 2, 0.5, 1e-4, better)
    assert len(set(expected)) == 8, "the least rate is reached"
    given = {"is": "plateau", "factor": 0.5, "patience": 2, "on": on, "least": 1e-4}
    assert_rates(rates(given, 1e-2, values=values), expected)


def test_any_better_score_counts_and_an_equal_one_does_not():
    """PyTorch asks for 0.01 % more, and accepts a score 0.01 % worse where scores are negative."""
    equal, better = [(0.0, -1.0)] * 3, [(0.0, 0.5 + 1e-9 * k) for k in range(3)]
    given = {"is": "plateau", "patience": 0}
    assert_rates(rates(given, 1.0, 3, values=equal), [1, 1, 0.1])
    assert_rates(rates(given, 1.0, 3, values=better), [1, 1, 1])


def test_a_score_that_is_no_number_is_no_better_score():
    values = [(0.0, 0.5)] + [(0.0, np.nan)] * 3
    found = rates({"is": "plateau", "patience": 1}, 1.0, 4, values=values)
    assert_rates(found, [1, 1, 1, 0.1])


def test_a_small_rate_is_lowered_too():
    """PyTorch leaves out reductions by less than 1e-8, unless it is told otherwise."""
    found = rates({"is": "plateau", "patience": 0}, 1e-8, 3, values=[(0, 0)] * 3)
    assert_rates(found, [1e-8, 1e-8, 1e-9])


def test_the_published_code_of_rjcma_warms_up_in_a_sawtooth_and_waits_for_a_plateau():
    lr, warm = 1e-5, {"epochs": 5, "shape": "sawtooth"}
    draw = np.random.default_rng(0)
    scores = np.r_[np.linspace(0.9, 1, 5), draw.uniform(0, 0.5, 45)]
    given = {"is": "plateau", "factor": 0.1, "patience": 5, "least": 1e-8, "warmup": warm}
    found = rates(given, lr, values=[(0.0, score) for score in scores])
    rise = np.arange(1, BATCHES + 1) / BATCHES
    teeth = lr * np.arange(1, 6)[:, None] / 25 * rise  # (5, BATCHES)
    # Scores of the warm-up do not count, or the rate would fall after epoch 10.
    plateau = lowered(scores[5:], lr, 5, 0.1, 1e-8, np.greater)
    assert len(set(plateau)) >= 3
    assert_rates(found[:5], teeth)
    assert_rates(found[5:], plateau)


@pytest.mark.parametrize(
    "given",
    [
        {"is": "constant"},
        {"is": "cosine"},
        {"is": "step", "factor": 0.5, "every": 3, "after": 1, "lr": 0.02},
        {"is": "exponential", "factor": 0.9},
    ],
    ids=lambda given: given["is"],
)
def test_a_linear_warm_up_rises_to_the_rate_and_the_schedule_begins_after_it(given):
    found = rates({**given, "warmup": {"epochs": 4}}, 0.01, 20)
    assert_rates(found[:4], 0.01 * np.arange(1, 4 * BATCHES + 1) / (4 * BATCHES))
    np.testing.assert_array_equal(found[4:], rates(given, 0.01, 16))


def test_epochs_csv_has_the_rate_of_the_last_batch(tmp_path):
    warm = {"epochs": 2, "shape": "sawtooth"}
    schedule = schedule_of({"is": "exponential", "factor": 0.5, "warmup": warm})
    small_fit(tmp_path, epochs=5, lr=0.01, schedule=schedule)
    found = pd.read_csv(tmp_path / "epochs.csv")["lr"]
    np.testing.assert_allclose(found, [0.0025, 0.005, 0.01, 0.005, 0.0025], rtol=1e-12)


def test_the_rate_of_every_update_is_that_of_the_schedule(tmp_path):
    """Plain descent of a linear loss: a weight moves by the rate of the batch."""
    seen = []

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def fitted(model, batch):
        seen.append(model.weight.item())
        return -model.weight

    given = {"is": "step", "factor": 0.5, "every": 1, "after": 2, "warmup": {"epochs": 2}}
    rule = FitRule(8, 8, 0.1, 0.0, optimiser="sgd", schedule=schedule_of(given))
    fit(
        Line(),
        batches=lambda _: [torch.zeros(1)] * 3,
        loss=fitted,
        validate=lambda model: {"score": model.weight.item()},
        folder=tmp_path,
        settings={},
        rule=rule,
        seed=0,
        name="line",
    )
    moved = np.diff(seen)
    expected = rates(given, 0.1, 8, 3).ravel()[: len(moved)]
    np.testing.assert_allclose(moved, expected, rtol=1e-9)


def test_no_scheduler_warns_of_the_order_of_calls(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k, given in enumerate(({"is": "cosine"}, {"warmup": {"epochs": 2}})):
            small_fit(tmp_path / str(k), epochs=3, schedule=schedule_of(given))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"is": "step", "factor": 0.5, "every": 2, "warmup": {"epochs": 3}},
        {"is": "exponential", "factor": 0.9},
        {"is": "plateau", "factor": 0.5, "patience": 0, "warmup": {"epochs": 2}},
    ],
)
def test_the_rate_of_the_head_has_the_same_course(given):
    """Ten times that of the backbone in every batch, the warm-up included."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    net.backbone_weights = net[0].parameters
    rule = FitRule(9, 9, 1e-3, 0.0, schedule=schedule_of(given), head_lr=1e-2)
    optimiser = rule.optimiser_of(rule.groups_of(net))
    backbone, head = optimiser.param_groups
    assert [tuple(p.shape) for p in backbone["params"]] == [(3, 2), (3,)]
    assert [tuple(p.shape) for p in head["params"]] == [(1, 3), (1,)]
    schedule, seen = Rates(optimiser, rule.schedule, 1e-3, 9), set()
    for epoch in range(9):
        schedule.start_epoch(epoch, 4)
        for _ in range(4):
            assert head["lr"] == pytest.approx(10 * backbone["lr"], rel=1e-9)
            seen.add(backbone["lr"])
            optimiser.step()
            schedule.end_batch()
        schedule.end_epoch(epoch, 1.0, 0.0)
    assert (len(seen) > 1) == bool(given)


def test_a_rule_without_a_rate_of_the_head_is_named_as_before():
    """States of fits that were made before there was such a rate continue."""
    assert "head_lr" not in FitRule(1, 1, 0.1, 0.0).document()
    assert FitRule(1, 1, 0.1, 0.0, head_lr=0.2).document()["head_lr"] == 0.2
