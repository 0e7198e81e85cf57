"""Runs on ratings over time: each target of each clip, fitted by concordance."""

import json
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from avfusion.config.jobs import RunSettings
from avfusion.errors import TrainError
from avfusion.features.windows import Batch, Windows
from avfusion.layout import Layout
from avfusion.metrics.ccc import ccc
from avfusion.models.model import Model
from avfusion.rating import DIMENSIONS, Rating
from avfusion.registry import losses
from avfusion.runs.augment import corrupted_batch, spreads_of
from avfusion.runs.inputs import Inputs

FILE = "traces.parquet"


class RatingJob:
    """One run on ratings over time (see `avfusion.runs.job.Job`)."""

    file = FILE

    def __init__(self, settings: RunSettings, layout: Layout) -> None:
        card = json.loads(layout.card(settings.corpus).read_text())
        rating = Rating.of(card)
        if not rating.names:
            raise TrainError(
                f"{settings.corpus} has no ratings over time. Set `task: classes` in its entry."
            )
        scale = rating.low, rating.high
        self.settings = settings.updated(targets=rating.names, value_range=scale)
        self.data = data = Inputs.read(self.settings, layout)
        self.rows, self.validation = (
            data.windows(part, data.gold(part, layout, card["delay_s"]))
            for part in ("train", "validation")
        )
        self.gold = self.rows.gold, self.validation.gold
        self.columns: dict[str, type] = {"video": str, "partition": str}
        self.columns |= dict.fromkeys(("time_s", *rating.names), float)
        self.corrupt = self.settings.train.corrupt
        self.spreads = spreads_of(data, self.corrupt)
        self.loss_of = losses.get(self.settings.train.loss)

    def batches(self, generator: torch.Generator) -> Iterator[Batch]:
        """Yield the rated train windows in a new order, corrupted if `train.corrupt` is set."""
        for batch in _batches(self.rows, self.settings.train.batch, generator):
            if self.corrupt:
                yield corrupted_batch(batch, self.corrupt, self.spreads, generator)
            else:
                yield batch

    def loss(self, model: Model, batch: Batch) -> Tensor:
        """Return the loss of a batch.

        With `precision: bfloat16`, products are rounded to bfloat16, only while fitting.
        """
        rounded = self.settings.train.precision == "bfloat16"
        with torch.autocast(batch.gold.device.type, torch.bfloat16, enabled=rounded):
            prediction, _ = model(*batch.inputs)
        return self.loss_of(prediction.float(), batch.gold)

    def validate(self, model: Model) -> dict[str, float]:
        """Return the pooled CCC of each target on validation, and their mean as "score"."""
        predicted = self.validation.predict(model)
        return scores(predicted, self.validation.gold, self.settings.targets)


def scores(prediction: Tensor, gold: Tensor, names: Sequence[str] = DIMENSIONS) -> dict[str, float]:
    """Return the pooled CCC of each target over rated rows, and their mean as "score".

    prediction, gold: (R, K).
    """
    rated = ~gold.isnan()
    values = [ccc(prediction[keep, d], gold[keep, d]).item() for d, keep in enumerate(rated.T)]
    by_target = {f"ccc_{name}": value for name, value in zip(names, values, strict=True)}
    return {"score": sum(values) / len(values)} | by_target


def _batches(train: Windows, size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Yield rated windows in a new order, in batches whose sizes differ by at most one."""
    rated = train.rated()
    order = rated[torch.randperm(len(rated), generator=generator)]
    for which in order.tensor_split(math.ceil(len(order) / size)):
        yield train.batch(which)
