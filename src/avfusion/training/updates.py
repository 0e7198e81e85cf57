"""Updates of a model's weights: optimiser, learning rate, clipping and scaling of gradients."""

from typing import Any

import torch
from torch import Tensor, nn

from avfusion.training import device
from avfusion.training.rule import FitRule
from avfusion.training.schedules import Rates

LEAST_SCALE = 2.0**-14
"""Least positive normal number of float16; a loss scaled by less has no gradient left."""


class Updates:
    """Change the weights of a model by the gradients of its loss.

    With `precision: float16`, losses are scaled so that small gradients do not become 0. A gradient
    that overflows is left out: the update is skipped and the scale halved.

    Attributes
    ----------
    rate
        Learning rate of the last update.
    skipped
        Number of updates of this epoch that were skipped.
    """

    def __init__(self, model: nn.Module, rule: FitRule) -> None:
        self.rule, self.weights = rule, list(model.parameters())
        self.optimiser = rule.optimiser_of(rule.groups_of(model))
        self.rates = Rates(self.optimiser, rule.schedule, rule.lr, rule.epochs)
        self.scaler = torch.amp.GradScaler(
            device.of(model).type, enabled=rule.precision == "float16"
        )
        self.rate, self.skipped = rule.lr, 0

    @property
    def overflowing(self) -> bool:
        """Whether gradients overflow at every scale that float16 allows."""
        return self.scaler.is_enabled() and self.scaler.get_scale() < LEAST_SCALE

    def start_epoch(self, epoch: int, batches: int) -> None:
        """Set the learning rate of an epoch of so many batches; epochs count from 0."""
        self.skipped = 0
        self.rates.start_epoch(epoch, batches)
        self.rate = self.rates.now

    def update(self, loss: Tensor) -> None:
        """Update the weights by the loss of one batch."""
        self.rate = self.rates.now
        self.optimiser.zero_grad()
        self.scaler.scale(loss).backward()
        if self.rule.clip_norm is not None:
            self.scaler.unscale_(self.optimiser)  # the norm is that of the gradient itself
            nn.utils.clip_grad_norm_(self.weights, self.rule.clip_norm)
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.skipped += self.scaler.get_scale() < scale
        self.rates.end_batch()

    def end_epoch(self, epoch: int, loss: float, score: float) -> None:
        """Set the learning rate of the next epoch."""
        self.rates.end_epoch(epoch, loss, score)

    def state(self) -> dict[str, Any]:
        """Return the state after an epoch: tensors, numbers, texts, lists and dicts."""
        return {
            "optimiser": self.optimiser.state_dict(),
            "rates": self.rates.state(),
            "scaler": self.scaler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.optimiser.load_state_dict(state["optimiser"])
        self.rates.load(state["rates"])
        self.scaler.load_state_dict(state["scaler"])
