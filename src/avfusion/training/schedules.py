"""The learning rate over batches and epochs, by PyTorch's own schedulers."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, ReduceLROnPlateau

from avfusion.config.schedules import Constant, Cosine, Exponential, Plateau, Schedule, Warmup

MODES: dict[str, Literal["max", "min"]] = {"validation": "max", "loss": "min"}


class Rates:
    """The learning rate of an optimiser, from the first batch to the last epoch.

    A warm-up sets it batch by batch. The schedule then sets it once per epoch, and its epochs count
    from the end of the warm-up, as in PyTorch's `SequentialLR`.

    Parameters
    ----------
    optimiser
        Its learning rate is set.
    schedule
        Settings of the schedule and its warm-up.
    lr
        Rate that the schedule begins with.
    epochs
        Greatest number of epochs of the fit, warm-up included.
    """

    def __init__(self, optimiser: Optimizer, schedule: Schedule, lr: float, epochs: int) -> None:
        self.optimiser, self.schedule, self.lr = optimiser, schedule, lr
        warm = schedule.warmup.epochs if schedule.warmup else 0
        self.warm = warm
        self.main = scheduler(optimiser, schedule, lr, max(1, epochs - warm))
        self.ramp: LambdaLR | None = None

    @property
    def now(self) -> float:
        """The rate of the next update."""
        return float(self.optimiser.param_groups[0]["lr"])

    def start_epoch(self, epoch: int, batches: int) -> None:
        """Set the rate of the first of so many batches of an epoch; epochs count from 0."""
        self.ramp = None
        if self.schedule.warmup is not None and epoch < self.warm:
            self._set(self.lr)
            part = partial(ramp, self.schedule.warmup, epoch, batches)
            self.ramp = LambdaLR(self.optimiser, part)

    def end_batch(self) -> None:
        """Set the rate of the next batch."""
        if self.ramp is not None:
            _step(self.ramp.step)

    def end_epoch(self, epoch: int, loss: float, score: float) -> None:
        """Set the rate of the next epoch from the mean loss and the validation score of this."""
        if epoch < self.warm:
            self._set(self.lr)
        elif isinstance(self.main, ReduceLROnPlateau):
            assert isinstance(self.schedule, Plateau)
            value = score if self.schedule.on == "validation" else loss
            _step(partial(self.main.step, value))
        else:
            _step(self.main.step)

    def state(self) -> dict[str, Any]:
        """Return the state after an epoch; the optimiser's is separate."""
        return self.main.state_dict()

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.main.load_state_dict(state)

    def _set(self, lr: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] = lr * group.get("ratio", 1.0)


def scheduler(
    optimiser: Optimizer, schedule: Schedule, lr: float, epochs: int
) -> LRScheduler | ReduceLROnPlateau:
    """Return PyTorch's scheduler, without the warm-up, for a fit of so many epochs."""
    if isinstance(schedule, Plateau):
        # Without a threshold and `eps`, each better value counts, and so does each reduction.
        return ReduceLROnPlateau(
            optimiser,
            mode=MODES[schedule.on],
            factor=schedule.factor,
            patience=schedule.patience,
            threshold=0.0,
            threshold_mode="abs",
            min_lr=schedule.least,
            eps=0.0,
        )
    if isinstance(schedule, Cosine):
        return CosineAnnealingLR(optimiser, T_max=epochs, eta_min=schedule.least)
    return LambdaLR(optimiser, _factor(schedule, lr))


def _factor(schedule: Schedule, lr: float) -> Callable[[int], float]:
    """Return a function from epoch to the rate as a multiple of `lr`."""
    if isinstance(schedule, Constant):
        return lambda epoch: 1.0
    assert not isinstance(schedule, Plateau | Cosine)
    start, every = 1.0, 1
    if not isinstance(schedule, Exponential):
        start = 1.0 if schedule.lr is None else schedule.lr / lr
        every = schedule.every
    factor, after = schedule.factor, schedule.after

    def multiple(epoch: int) -> float:
        return 1.0 if epoch <= after else start * factor ** ((epoch - after) // every)

    return multiple


def ramp(warmup: Warmup, epoch: int, batches: int, batch: int) -> float:
    """Return the rate in a batch of the warm-up as a multiple of the full rate; both count from 0.

    >>> [ramp(Warmup(epochs=2), 1, 4, batch) for batch in range(4)]
    [0.625, 0.75, 0.875, 1.0]
    >>> [ramp(Warmup(epochs=2, shape="sawtooth"), 1, 4, batch) for batch in range(4)]
    [0.125, 0.25, 0.375, 0.5]
    """
    done = (batch + 1) / max(batches, 1)
    if warmup.shape == "linear":
        return (epoch + done) / warmup.epochs
    return (epoch + 1) / warmup.epochs**2 * done


def _step(step: Callable[[], Any]) -> None:
    """Call a scheduler's step; a first update that float16 skipped is no mistake in the order."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler\.step\(\)`")
        step()
