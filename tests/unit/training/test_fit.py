"""A fit is the same whether undisturbed, killed, resumed or repeated; and it says why it stops."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from avfusion.errors import TrainError
from avfusion.io import atomic
from avfusion.training.checkpoint import load_weights
from support.scratch import ROOT
from support.small_fit import small_fit

RESULTS = ("best.safetensors", "epochs.csv")


def results(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in RESULTS]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    small_fit(folder)
    return results(folder)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_sigkill_at_random_moments_changes_no_bit(tmp_path, seed):
    script = ROOT / "tests/support/small_fit.py"
    command = [sys.executable, script, tmp_path, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) >= 2, "too few kills came before the end to show anything"
    assert results(tmp_path / "killed") == results(tmp_path / "undisturbed")


class Killed(BaseException):
    """Stands for SIGKILL at a chosen instruction."""


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 7, 24, 25, 26])
def test_dying_at_any_write_changes_no_bit(tmp_path, monkeypatch, undisturbed, call, nth):
    """Two files an epoch, 12 epochs, two files at the end: the nth write dies half-way."""
    real, count = getattr(atomic.os, call), 0

    def die_at_nth(*args):
        nonlocal count
        count += 1
        if count == nth:
            raise Killed
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, call, die_at_nth)
        with pytest.raises(Killed):
            small_fit(tmp_path)
    small_fit(tmp_path)
    assert results(tmp_path) == undisturbed


def test_the_callers_random_state_and_threads_do_not_matter(tmp_path, undisturbed):
    torch.manual_seed(12345)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    small_fit(tmp_path)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
    assert results(tmp_path) == undisturbed


def test_another_seed_is_another_fit(tmp_path, undisturbed):
    small_fit(tmp_path, seed=1)
    assert results(tmp_path) != undisturbed


def test_a_finished_fit_is_not_redone(tmp_path, undisturbed):
    first = small_fit(tmp_path)
    again = small_fit(tmp_path, batches=None, loss=None, validate=None)
    assert again == first
    (tmp_path / "best.safetensors").unlink()
    small_fit(tmp_path, batches=None, loss=None, validate=None)
    assert results(tmp_path) == undisturbed


def test_a_state_of_other_settings_is_superseded(tmp_path, undisturbed, caplog):
    small_fit(tmp_path, epochs=3)
    small_fit(tmp_path)
    assert "other settings" in caplog.text
    assert results(tmp_path) == undisturbed


@pytest.mark.parametrize("place", [5, 300, -9])
def test_a_damaged_state_is_told_and_starts_over_to_the_same_bits(
    tmp_path, undisturbed, caplog, place
):
    small_fit(tmp_path, epochs=3)
    state = tmp_path / "state.pt"
    data = bytearray(state.read_bytes())
    data[place] ^= 1
    state.write_bytes(data)
    small_fit(tmp_path)
    assert "starting over" in caplog.text
    assert results(tmp_path) == undisturbed


def test_the_best_epoch_is_kept_and_loaded(tmp_path):
    scores = iter([0.1, 0.7, np.nan, 0.3, 0.7, 0.2])
    seen = []

    def validate(model):
        seen.append(model[0].weight.clone())
        return {"score": next(scores)}

    result = small_fit(tmp_path, epochs=6, validate=validate)
    assert (result.score, result.epoch, result.epochs) == (0.7, 2, 6)
    weights, settings = load_weights(result.best)
    torch.testing.assert_close(weights["0.weight"], seen[1], rtol=0, atol=0)
    assert settings == {"study": "small"}


def test_patience_ends_it(tmp_path):
    scores = iter([0.1, 0.5, 0.4, 0.4, 0.4, 0.9])
    result = small_fit(tmp_path, patience=3, validate=lambda _: {"score": next(scores)})
    assert (result.epoch, result.epochs) == (2, 5)


def test_epochs_csv_tells_the_story(tmp_path):
    result = small_fit(tmp_path)
    table = pd.read_csv(tmp_path / "epochs.csv")
    assert list(table) == ["epoch", "loss", "score", "rows", "lr"]
    assert table["epoch"].tolist() == list(range(1, 13))
    assert table["loss"].iloc[-1] < table["loss"].iloc[0]
    assert table["score"].max() == result.score


def test_validation_sees_no_dropout_and_training_does(tmp_path):
    modes = []

    def validate(model):
        modes.append(("validate", model.training, torch.is_grad_enabled()))
        return {"score": 0.0}

    def loss(model, batch):
        modes.append(("loss", model.training, torch.is_grad_enabled()))
        return model(batch[0]).square().mean()

    small_fit(tmp_path, epochs=2, validate=validate, loss=loss)
    assert set(modes) == {("validate", False, False), ("loss", True, True)}


def test_non_finite_loss_names_run_epoch_batch_and_keeps_the_state(tmp_path):
    calls = 0

    def loss(model, batch):
        nonlocal calls
        calls += 1
        return model(batch[0]).square().mean() * (torch.inf if calls == 5 else 1)

    with pytest.raises(
        TrainError, match=r"small: diverged: loss is inf in epoch 2, batch 2.*train\.lr"
    ):
        small_fit(tmp_path, loss=loss)
    assert len(pd.read_csv(tmp_path / "epochs.csv")) == 1


def test_no_finite_score_or_no_batches_is_an_error(tmp_path):
    with pytest.raises(TrainError, match="no epoch gave a finite"):
        small_fit(tmp_path, epochs=2, validate=lambda _: {"score": float("nan")})
    with pytest.raises(TrainError, match="no batches"):
        small_fit(tmp_path, batches=lambda _: [])
