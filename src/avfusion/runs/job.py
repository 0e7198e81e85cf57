"""What `train_run` needs to know about a task: ratings, classes or people."""

from typing import Any, Protocol

import torch
from torch import Tensor

from avfusion.config.jobs import RunSettings
from avfusion.features.windows import Windows
from avfusion.runs.inputs import Inputs
from avfusion.training.batches import Batches


class Job(Protocol):
    """The data, the loss and the validation of one run.

    Attributes
    ----------
    file
        Name of the file of predictions.
    settings
        The settings, with the targets or classes of the corpus filled in.
    data
        Features of all partitions.
    divided
        The same, where videos that are not trained on have left `train` (`runs.divide`).
    rows
        Windows of the train partition of `divided`; their features define the standardisation.
    gold
        Gold that is trained on, and that the epoch is chosen on.
    columns
        Columns of the file of predictions and their types.
    """

    file: str
    settings: RunSettings
    data: Inputs
    divided: Inputs
    rows: Windows
    gold: tuple[Tensor, Tensor]
    columns: dict[str, type]

    def batches(self, generator: torch.Generator) -> Batches[Any]:
        """Return the batches of one epoch."""
        ...

    def loss(self, model: Any, batch: Any) -> Tensor:
        """Return the loss of one batch, a scalar."""
        ...

    def validate(self, model: Any) -> dict[str, float]:
        """Return numbers for epochs.csv; training keeps the epoch of the highest "score"."""
        ...

    def hashes(self) -> dict[str, Any]:
        """Return hashes of gold and protocol, which are part of the settings of the weights."""
        ...
