"""Every optimiser with every schedule: the same bits again, after kills too; and what they do."""

import itertools
import logging
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from avfusion.errors import RunError
from avfusion.training import loop
from avfusion.training.checkpoint import load_weights
from avfusion.training.losses import ccc_loss
from avfusion.training.precision import products
from avfusion.training.rule import FitRule
from avfusion.training.updates import Updates
from support.small_fit import schedule_of, small_fit

EPOCHS = 5
SCHEDULES = {
    "constant": {},
    "step": {"is": "step", "factor": 0.5, "after": 1, "lr": 0.02},
    "exponential": {"is": "exponential", "factor": 0.7},
    "plateau": {"is": "plateau", "factor": 0.5, "patience": 0, "on": "validation"},
    "plateau of the loss": {"is": "plateau", "factor": 0.5, "patience": 0, "on": "loss"},
    "cosine": {"is": "cosine", "least": 1e-4},
    "linear": {"is": "cosine", "warmup": {"epochs": 3}},
    "sawtooth": {"is": "plateau", "patience": 0, "warmup": {"epochs": 2, "shape": "sawtooth"}},
}
OPTIMISERS = {
    "adamw": {"optimiser": "adamw"},
    "adam": {"optimiser": "adam", "weight_decay": 0.01},
    "sgd": {"optimiser": "sgd", "momentum": 0.9},
}
RULES = {
    **{
        f"{schedule}, {optimiser}": {**OPTIMISERS[optimiser], "schedule": SCHEDULES[schedule]}
        for schedule, optimiser in itertools.product(SCHEDULES, OPTIMISERS)
    },
    "clipped": {"optimiser": "sgd", "clip_norm": 0.1},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16"},
    "float16, clipped": {"precision": "float16", "clip_norm": 0.1, **OPTIMISERS["sgd"]},
    "float16, overflowing": {"precision": "float16", "times": 1e3},
}


class Killed(BaseException):
    """Stands for SIGKILL."""


def fitted(folder, name: str, **changes):
    """Fit under a named rule, with scores that follow from the weights and go up and down."""
    rule = {**RULES.get(name, {}), **changes}
    rule["schedule"] = schedule_of(rule.get("schedule", {}))
    precision, times = rule.get("precision", "float32"), rule.pop("times", 1.0)

    def loss(model, batch):
        with products(batch[0].device, precision):
            prediction = model(batch[0])
        return times * ccc_loss(prediction.float(), batch[1])

    def validate(model):
        return {"score": torch.sin(40 * model[0].weight.sum()).item()}

    given = {"epochs": EPOCHS, "lr": 0.01, "loss": loss, "validate": validate}
    if "of the loss" in name:
        given["lr"] = 2.0  # so high that the loss goes up and down too
    return small_fit(folder, **{**given, **rule})


def results(folder) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("best.safetensors", "epochs.csv")]


@pytest.mark.parametrize("name", RULES)
def test_a_fit_killed_after_every_epoch_has_the_bits_of_an_undisturbed_one(
    name, tmp_path, monkeypatch
):
    fitted(tmp_path / "whole", name)
    save, kills = loop.save_state, 0

    def save_then_die(*arguments):
        save(*arguments)
        raise Killed

    monkeypatch.setattr(loop, "save_state", save_then_die)
    for _ in range(EPOCHS):
        with pytest.raises(Killed):
            fitted(tmp_path / "killed", name)
        kills += 1
    monkeypatch.undo()
    fitted(tmp_path / "killed", name)
    assert kills == EPOCHS
    if "plateau" in name:
        assert pd.read_csv(tmp_path / "whole/epochs.csv")["lr"].nunique() > 1, "it acts"
    assert results(tmp_path / "killed") == results(tmp_path / "whole")


def test_every_rule_is_another_fit(tmp_path):
    """The counterpart: no two rules have the same weights."""
    rules = ["constant, adamw", "constant, adam", "constant, sgd", "cosine, adamw", "clipped"]
    rules += ["bfloat16", "float16"]
    last = {}
    for name in rules:
        fitted(tmp_path / name, name)
        last[name] = load_weights(tmp_path / name / "best.safetensors")[0]["0.weight"].numpy()
    for one, other in itertools.combinations(rules, 2):
        assert not np.array_equal(last[one], last[other]), (one, other)


def test_a_state_of_another_schedule_is_not_continued(tmp_path, caplog):
    fitted(tmp_path / "fit", "constant, adamw")
    fitted(tmp_path / "fit", "cosine, adamw")
    assert "other settings" in caplog.text
    fitted(tmp_path / "fresh", "cosine, adamw")
    assert results(tmp_path / "fit") == results(tmp_path / "fresh")


def two_steps(**rule) -> np.ndarray:
    """The weight after two updates with the gradients 0.5 and -0.2, from 1."""
    line = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(line.weight)
    updates = Updates(line, FitRule(1, 1, 0.1, 0.3, **rule))
    updates.start_epoch(0, 2)
    for gradient in (0.5, -0.2):
        updates.update(gradient * line.weight.sum())
    return line.weight.detach().numpy().ravel()


def adam(weight: float, decay: float, coupled: bool) -> float:
    m = v = 0.0
    for t, gradient in enumerate((0.5, -0.2), start=1):
        if coupled:
            gradient += decay * weight
        else:
            weight -= 0.1 * decay * weight
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        weight -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return weight


def test_optimisers_are_those_of_the_books():
    """Weight decay is decoupled in AdamW and an L2 term in Adam and SGD."""
    np.testing.assert_allclose(two_steps(), adam(1.0, 0.3, False), rtol=1e-12)
    np.testing.assert_allclose(two_steps(optimiser="adam"), adam(1.0, 0.3, True), rtol=1e-12)
    first = 0.5 + 0.3
    weight = 1 - 0.1 * first
    weight -= 0.1 * (0.9 * first - 0.2 + 0.3 * weight)
    found = two_steps(optimiser="sgd", momentum=0.9)
    np.testing.assert_allclose(found, weight, rtol=1e-12)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_long_gradient_is_shortened_and_a_short_one_left(precision):
    """The norm is that of the gradient before float16 scales it."""
    moved = {}
    for norm in (None, 1.0, 100.0):
        layer = nn.Linear(2, 1, bias=False)
        nn.init.zeros_(layer.weight)
        rule = FitRule(1, 1, 1.0, 0.0, optimiser="sgd", clip_norm=norm, precision=precision)
        updates = Updates(layer, rule)
        updates.start_epoch(0, 1)
        updates.update(-(layer.weight * torch.tensor([3.0, 4.0])).sum())
        moved[norm] = layer.weight.detach().numpy().ravel()
    np.testing.assert_allclose(moved[1.0], [0.6, 0.8], rtol=1e-5)
    np.testing.assert_allclose(moved[100.0], [3, 4], rtol=1e-6)
    np.testing.assert_allclose(moved[None], [3, 4], rtol=1e-6)


def test_float16_skips_updates_that_overflow_and_trains_on(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        result = fitted(tmp_path, "float16, overflowing", epochs=12)
    skipped = re.findall(r"(\d+) of 3 updates skipped", caplog.text)
    assert sum(map(int, skipped)) >= 1
    table = pd.read_csv(tmp_path / "epochs.csv")
    assert table["loss"].iloc[-1] < table["loss"].iloc[0]
    assert all(tensor.isfinite().all() for tensor in load_weights(result.best)[0].values())


def test_float16_whose_gradients_never_fit_diverges(tmp_path):
    def loss(model, batch):
        if loss.calls == 0:
            next(model.parameters()).register_hook(lambda gradient: gradient * torch.inf)
        loss.calls += 1
        return model(batch[0]).square().mean()

    loss.calls = 0
    with pytest.raises(RunError, match=r"beyond the range of float16 in epoch 11.*bfloat16"):
        small_fit(tmp_path, loss=loss, precision="float16", epochs=20, patience=20)


def test_a_loss_that_is_not_finite_diverges_in_float16_too(tmp_path):
    def loss(model, batch):
        return model(batch[0]).square().mean() * torch.inf

    with pytest.raises(RunError, match=r"loss is inf in epoch 1, batch 1.*now 0\.01"):
        small_fit(tmp_path, loss=loss, precision="float16")


def test_float16_does_not_lose_gradients_that_are_small():
    """A gradient of 1e-8 is 0 in float16, unless the loss is scaled."""
    layer = nn.Linear(1, 1, bias=False)
    before = layer.weight.detach().clone()
    updates = Updates(layer, FitRule(1, 1, 1e4, 0.0, optimiser="sgd", precision="float16"))
    with products(torch.device("cpu"), "float16"):
        found = layer(torch.ones(1, 1))
    assert found.dtype == torch.float16
    updates.start_epoch(0, 1)
    updates.update(1e-8 * found.float().sum())
    moved = (before - layer.weight).item()
    assert moved == pytest.approx(1e-4, rel=0.01)
