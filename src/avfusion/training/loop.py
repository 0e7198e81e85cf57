"""The training loop: deterministic, and resumed to the same bits after a kill."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avfusion.errors import DamagedError, RunError
from avfusion.training import device, distributed
from avfusion.training.batches import Epoch
from avfusion.training.checkpoint import (
    key,
    load_state,
    save_history,
    save_state,
    save_weights,
    state_key,
)
from avfusion.training.precision import fitted_in
from avfusion.training.rule import FitRule
from avfusion.training.updates import Updates

log = logging.getLogger(__name__)

LOG_EVERY_S = 5.0


@dataclass(frozen=True)
class FitResult:
    """File of the best weights, their score and epoch, and the number of epochs."""

    best: Path
    score: float
    epoch: int
    epochs: int


@contextmanager
def deterministic(seed: int) -> Iterator[None]:
    """Seed PyTorch and make it deterministic.

    It uses one thread, because the number of threads changes the order of sums.
    """
    threads, strict = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    torch.set_num_threads(1)
    device.be_deterministic()
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(strict)


def fit(
    model: nn.Module,
    *,
    batches: Callable[[torch.Generator], Epoch[Any]],
    loss: Callable[[Any, Any], Tensor],
    validate: Callable[[Any], dict[str, float]],
    folder: Path,
    settings: dict[str, Any],
    rule: FitRule,
    seed: int,
    name: str,
) -> FitResult:
    """Fit a model and load the weights of its best epoch into it.

    A killed fit resumes after its last complete epoch, a finished one is not repeated, and a state
    of other settings is replaced. If several processes fit together
    (`avfusion.training.distributed`), all read the state and the first writes.

    Parameters
    ----------
    model
        Built inside `deterministic(seed)` too.
    batches
        Called with a generator; returns the batches of one epoch.
    loss
        Called with the model and a batch, and lowers its precision; returns a float32 scalar.
    validate
        Called with the model in evaluation mode, without gradients; returns numbers for
        epochs.csv, among them "score" (higher is better).
    folder
        Receives state.pt and epochs.csv after each epoch and best.safetensors at the end.
    settings
        JSON-ready settings that name the fit; best.safetensors carries them.
    rule
        Number of epochs, optimiser, learning rate and precision.
    seed, name
        Seed of all draws, and what is fitted, for log and messages.

    Returns
    -------
    FitResult
        The best weights and their score.

    Raises
    ------
    RunError
        If the fit diverges, or no epoch has a finite score.
    """
    named = {"rule": rule.document(), "seed": seed, "name": name}
    with deterministic(seed):
        model = fitted_in(model, rule.precision, device.chosen()).to(device.chosen())
        run = _Run(model, folder, key({**settings, "fit": named}), name, rule)
        run.resume()
        run.write_history()  # replaces one of other settings
        run.learner = distributed.shared(run.model)
        while not run.finished():
            epoch = batches(run.start_epoch(seed))
            run.updates.start_epoch(run.epoch, len(epoch))
            run.end_epoch(_epoch(run, epoch, loss), validate)
    return run.close(settings)


def epoch_of(generator: torch.Generator, seed: int) -> int:
    """Return the epoch, from 0, of the generator that `fit` calls `batches` with.

    seed: that of the fit.
    """
    return generator.initial_seed() - seed * 1_000_003


class _Run:
    """State of a fit that survives a kill: model, optimiser, best weights and history."""

    def __init__(
        self, model: nn.Module, folder: Path, settings_key: str, name: str, rule: FitRule
    ) -> None:
        self.model, self.folder, self.key, self.name = model, folder, settings_key, name
        self.learner, self.rule = model, rule
        self.updates = Updates(model, rule)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.best_score = -math.inf
        self.logged_at = time.monotonic()

    @property
    def epoch(self) -> int:
        return len(self.history)

    def finished(self) -> bool:
        rule, waited = self.rule, self.epoch - self.best_epoch
        ended = rule.ends_at is not None and self.updates.rates.now <= rule.ends_at
        return ended or self.epoch >= rule.epochs or waited >= rule.patience

    def resume(self) -> None:
        path = self.folder / "state.pt"
        if not path.is_file():
            return
        try:
            if state_key(path) != self.key:
                log.warning("%s: %s is of other settings or inputs; starting over", self.name, path)
                return
            state = load_state(path, self.key)
        except DamagedError as error:  # starting over gives the same numbers
            log.warning("%s: starting over. %s", self.name, str(error).partition(" Run `rm")[0])
            return
        self.model.load_state_dict(state["model"])
        self.updates.load(state["updates"])
        self.history, self.best = state["history"], state["best"]
        self.best_epoch, self.best_score = state["best_epoch"], state["best_score"]
        log.info("%s: going on after epoch %d", self.name, self.epoch)

    def start_epoch(self, seed: int) -> torch.Generator:
        """Return a generator that depends only on seed and epoch, so no random state is saved."""
        epoch_seed = seed * 1_000_003 + self.epoch
        torch.manual_seed(epoch_seed)  # dropout draws from torch's own generator
        self.model.train()
        return torch.Generator().manual_seed(epoch_seed)

    def end_epoch(self, loss: float, validate: Callable[[Any], dict[str, float]]) -> None:
        self.model.eval()
        with torch.no_grad():
            values = {column: float(value) for column, value in validate(self.model).items()}
        # Where processes fit together, all must stop and lower the rate in the same epoch.
        loss, score = distributed.of_first([loss, values.pop("score")])
        rate = self.updates.rate
        row = {"epoch": self.epoch + 1, "loss": loss, "score": score, **values, "lr": rate}
        self.updates.end_epoch(self.epoch, loss, score)
        self.history.append(row)
        if score > self.best_score:
            self.best_score, self.best_epoch = score, self.epoch
            self.best = {k: v.detach().clone().cpu() for k, v in self.model.state_dict().items()}
        self._save()
        self.report("epoch %d: loss %.4f, score %.4f (best %.4f)", loss, score, self.best_score)

    def report(self, text: str, *numbers: float | Tensor) -> None:
        """Log at most one line every few seconds."""
        if time.monotonic() - self.logged_at >= LOG_EVERY_S:
            log.info("%s: " + text, self.name, self.epoch, *numbers)
            self.logged_at = time.monotonic()

    def diverged(self, what: str, where: str, rate: float | None = None) -> RunError:
        """Return the error for a loss or weights that are not finite; `rate`: that of the batch."""
        reason = f"diverged: {what} in epoch {self.epoch + 1}, {where}."
        now = f"{self.updates.rate if rate is None else rate:.4g}"
        remedy = f"Lower `train.lr` (now {now} in this epoch), or look for infinite features."
        if self.rule.precision == "float16":
            remedy += " Or set `train.precision` to bfloat16, which has the range of float32."
        return RunError(self.name, reason, remedy)

    def close(self, settings: dict[str, Any]) -> FitResult:
        """Write the best weights, load them into the model and return the result."""
        if not self.best:
            reason = "no epoch gave a finite validation score: predictions or gold are constant."
            raise RunError(self.name, reason, f"Look at {self.folder / 'epochs.csv'}.")
        self.write_history()
        self.model.load_state_dict(self.best)
        self.model.eval()
        best = self.folder / "best.safetensors"
        if distributed.first():
            save_weights(best, self.best, settings)
        reached = (self.name, self.best_score, self.best_epoch, self.epoch)
        log.info("%s: best score %.4f in epoch %d of %d", *reached)
        return FitResult(best, self.best_score, self.best_epoch, self.epoch)

    def write_history(self) -> None:
        if distributed.first():
            save_history(self.folder / "epochs.csv", self.history)

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "updates": self.updates.state(),
            "best": self.best,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "history": self.history,
        }
        if distributed.first():
            save_state(self.folder / "state.pt", state, self.key)
        self.write_history()


def _epoch(run: _Run, batches: Epoch[Any], loss: Callable[[Any, Any], Tensor]) -> float:
    """Train on the batches once and return their mean loss.

    The losses are read after the last step, so that in float32 and bfloat16 a GPU is not waited for
    between two steps. In float16, each step reads whether the gradients overflow.
    """
    losses: list[Tensor] = []
    rates: list[float] = []
    for count, batch in enumerate(batches, start=1):
        value = loss(run.learner, device.moved(batch, device.chosen()))
        run.updates.update(value)
        losses.append(value.detach())
        rates.append(run.updates.rate)
        if run.updates.overflowing:
            _mean(run, losses, rates)
            raise run.diverged("gradients are beyond the range of float16", f"batch {count}")
        run.report(f"%d of {run.rule.epochs} epochs done, batch {count}, loss %.4f", losses[-1])
    if not losses:
        raise RunError(run.name, "no batches to train on.", "Are there rated train videos?")
    mean = _mean(run, losses, rates)
    if not all(weight.isfinite().all() for weight in run.model.parameters()):
        raise run.diverged("weights are not finite", "at its end")
    if run.updates.skipped:
        skipped = (run.name, run.epoch + 1, run.updates.skipped, len(losses))
        log.info("%s: epoch %d: %d of %d updates skipped, gradients beyond float16", *skipped)
    return mean


def _mean(run: _Run, losses: list[Tensor], rates: list[float]) -> float:
    """Return the mean loss; refuse an epoch with a loss that is not finite, and name the first."""
    total = 0.0
    for count, value in enumerate(torch.stack(losses).tolist(), start=1):
        if not math.isfinite(value):
            raise run.diverged(f"loss is {value}", f"batch {count}", rates[count - 1])
        total += value
    return total / len(losses)
