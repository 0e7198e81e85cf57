"""How a model is fitted: its optimiser, learning rate, precision and number of epochs."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

import torch
from torch import nn
from torch.optim import Optimizer

from avfusion.config.schedules import Constant, Schedule
from avfusion.config.sections import TrainSettings
from avfusion.training.precision import Precision


@dataclass(frozen=True)
class FitRule:
    """Settings of a fit, as `train` in a study describes them.

    Attributes
    ----------
    epochs, patience
        Greatest number of epochs, and number of epochs without a better score before stopping.
    lr, schedule
        Learning rate, and how it changes over the epochs.
    optimiser, weight_decay, momentum
        `adamw` has decoupled weight decay, `adam` and `sgd` an L2 term; momentum is of `sgd`.
    clip_norm
        Greatest norm of the gradient of all weights; None leaves it.
    precision
        Of the products; float16 has its gradients scaled.
    ends_at
        The fit also ends when its rate has fallen to this one; None leaves it out.
    """

    epochs: int
    patience: int
    lr: float
    weight_decay: float
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: float = 0.0
    schedule: Schedule = field(default_factory=Constant)
    clip_norm: float | None = None
    precision: Precision = "float32"
    ends_at: float | None = None

    @classmethod
    def of(cls, train: TrainSettings) -> Self:
        """Return the rule that training settings ask for."""
        named = (entry.name for entry in fields(cls) if entry.name in TrainSettings.model_fields)
        return cls(**{name: getattr(train, name) for name in named})

    def document(self) -> dict[str, Any]:
        """Return the rule as JSON-ready data."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return values | {"schedule": self.schedule.model_dump(mode="json")}

    def optimiser_of(self, weights: Iterable[nn.Parameter]) -> Optimizer:
        """Return a new optimiser of the weights."""
        if self.optimiser == "adamw":
            return torch.optim.AdamW(weights, lr=self.lr, weight_decay=self.weight_decay)
        if self.optimiser == "adam":
            return torch.optim.Adam(weights, lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            weights, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay
        )
