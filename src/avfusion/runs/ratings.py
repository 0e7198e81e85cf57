"""Runs on ratings over time: each target of each clip, fitted by concordance."""

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from avfusion.config.jobs import RunSettings
from avfusion.errors import TrainError
from avfusion.features.windows import Batch, Windows
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.metrics.concordance import ccc
from avfusion.models.model import Model
from avfusion.rating import DIMENSIONS, Rating
from avfusion.registry import losses
from avfusion.runs.augment import corrupted_batch, reaches_of, spreads_of
from avfusion.runs.by_protocol import ProtocolScore
from avfusion.runs.divide import choosing, divided
from avfusion.runs.inputs import Inputs
from avfusion.runs.predictor import reads
from avfusion.runs.shared import ReadInputs
from avfusion.training import device
from avfusion.training.batches import Batches, divide
from avfusion.training.precision import products

FILE = "traces.parquet"


class RatingJob:
    """One run on ratings over time (see `avfusion.runs.job.Job`)."""

    file = FILE

    def __init__(
        self, settings: RunSettings, layout: Layout, read: ReadInputs = Inputs.read
    ) -> None:
        card = json.loads(layout.card(settings.corpus).read_text())
        rating = Rating.of(card)
        if not rating.names:
            raise TrainError(
                f"{settings.corpus} has no ratings over time. Set `task: classes` in its entry."
            )
        scale = rating.low, rating.high
        self.settings = settings.updated(targets=rating.names, value_range=scale)
        self.data = read(self.settings, layout)
        self.divided = data = divided(self.settings, self.data, layout)
        chosen_on = choosing(self.settings)
        self.rows, self.validation = (
            data.windows(part, data.gold(part, layout, card["delay_s"]), part == "train")
            for part in ("train", chosen_on)
        )
        self.rule: ProtocolScore | None = None
        if self.settings.train.select.protocol is not None:
            scored = self.settings, data, chosen_on, layout, card["delay_s"]
            self.rule = ProtocolScore.read(*scored)
        self.gold = self.rows.gold, self.validation.gold
        self.columns: dict[str, type] = {"video": str, "partition": str}
        self.columns |= dict.fromkeys(("time_s", *rating.names), float) | {"outside": bool}
        self.corrupt = self.settings.train.corrupt
        self.spreads = spreads_of(data, self.corrupt)
        self.reaches = reaches_of(self.settings) if self.corrupt else {}
        self.loss_of = losses.get(self.settings.train.loss)
        self.placed: Windows | None = None

    def batches(self, generator: torch.Generator) -> Batches[Batch]:
        """Return the rated train windows of an epoch, corrupted if `train.corrupt` is set.

        Features stay on the device where they fit; corruption is drawn on the CPU.
        """
        if self.placed is None:
            self.placed = self.rows if self.corrupt else self.rows.on(device.chosen())
        placed = self.placed

        def load(which: Tensor) -> Batch:
            batch = placed.batch(which)
            if self.corrupt:
                given = self.corrupt, self.spreads, generator, self.reaches
                return corrupted_batch(batch, *given)
            return batch

        return Batches(divide(self.rows.rated(), self.settings.train, generator, "windows"), load)

    def loss(self, model: Model, batch: Batch) -> Tensor:
        """Return the loss of a batch, with that of the fusion; products have `train.precision`."""
        with products(batch.gold.device, self.settings.train.precision):
            prediction, _ = model(*batch.inputs)
            term = model.auxiliary_loss(*batch.inputs)
        return self.loss_of(prediction.float(), batch.gold) + term

    def validate(self, model: Model) -> dict[str, float]:
        """Return the CCC of each target as `train.select` asks for it, and their mean as "score".

        Without a protocol it is the pooled CCC at the times of the features.
        """
        predicted = self.predicted(model, self.validation)
        if self.rule is not None:
            return self.rule.scores(predicted)
        return scores(predicted, self.validation.gold, self.settings.targets)

    def predicted(self, model: Model, windows: Windows) -> Tensor:
        """Return predictions (R, K) as `avf score` scores them.

        They are 0, the middle of the scale, in a video without what the fusion reads, and NaN in
        rows that no window covers.
        """
        rows = windows.predict(model)
        unseen = windows.without(reads(self.settings))[:, None] & ~rows.isnan()
        return rows.masked_fill(unseen, 0.0)

    def of(self, target: str, settings: RunSettings) -> "RatingJob":
        """Return the job of a run that predicts only one of the targets; settings: of that run."""
        job = copy.copy(self)
        column = self.settings.targets.index(target)
        job.settings = settings
        job.rows, job.validation = (
            replace(part, gold=part.gold[:, column : column + 1])
            for part in (self.rows, self.validation)
        )
        job.placed = None
        job.gold = job.rows.gold, job.validation.gold
        job.rule = None if self.rule is None else self.rule.of(target)
        return job

    def hashes(self) -> dict[str, Any]:
        """Return hashes of what the run is fitted to and chosen by, besides the features."""
        chosen_by = {} if self.rule is None else {"select": self.rule.hashes()}
        return {"gold": content_hash(*self.gold), **chosen_by}


def scores(prediction: Tensor, gold: Tensor, names: Sequence[str] = DIMENSIONS) -> dict[str, float]:
    """Return the pooled CCC of each target over rated rows, and their mean as "score".

    prediction, gold: (R, K).
    """
    rated = ~gold.isnan()
    values = [ccc(prediction[keep, d], gold[keep, d]).item() for d, keep in enumerate(rated.T)]
    by_target = {f"ccc_{name}": value for name, value in zip(names, values, strict=True)}
    return {"score": sum(values) / len(values)} | by_target
