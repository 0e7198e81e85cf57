"""How a model is fitted: its optimiser, learning rate, precision and number of epochs."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from torch import nn
from torch.optim import Optimizer

from avfusion.config.schedules import Constant, Schedule
from avfusion.config.training import TrainSettings
from avfusion.training import optimisers
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
    head_lr
        Learning rate of the weights outside `model.backbone_weights()`, with the same schedule;
        None is `lr`.
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
    head_lr: float | None = None

    @classmethod
    def of(cls, train: TrainSettings) -> Self:
        """Return the rule that training settings ask for."""
        named = (entry.name for entry in fields(cls) if entry.name in TrainSettings.model_fields)
        return cls(**{name: getattr(train, name) for name in named})

    def document(self) -> dict[str, Any]:
        """Return the rule as JSON-ready data."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        if self.head_lr is None:  # older states have no such key
            del values["head_lr"]
        return values | {"schedule": self.schedule.model_dump(mode="json")}

    def groups_of(self, model: nn.Module) -> list[Any]:
        """Return the weights of a model as `optimiser_of` takes them, each with its rate."""
        if self.head_lr is None:
            return list(model.parameters())
        backbone: list[nn.Parameter] = list(model.backbone_weights())  # type: ignore[operator]
        inside = {id(weight) for weight in backbone}
        head = [weight for weight in model.parameters() if id(weight) not in inside]
        ratio = self.head_lr / self.lr
        return [{"params": backbone}, {"params": head, "lr": self.head_lr, "ratio": ratio}]

    def optimiser_of(self, weights: Iterable[Any]) -> Optimizer:
        """Return a new optimiser of weights, or of groups of weights."""
        decay = self.weight_decay
        if self.optimiser == "adamw":
            made: Optimizer = optimisers.AdamW(weights, lr=self.lr, weight_decay=decay)
        elif self.optimiser == "adam":
            made = optimisers.Adam(weights, lr=self.lr, weight_decay=decay)
        else:
            momentum = self.momentum
            made = optimisers.SGD(weights, lr=self.lr, momentum=momentum, weight_decay=decay)
        return made
