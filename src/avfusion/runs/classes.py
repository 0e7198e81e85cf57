"""Runs on classes: one label per video, predicted from the mean over its present steps."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from avfusion.config.jobs import RunSettings
from avfusion.errors import TrainError
from avfusion.features.windows import Windows
from avfusion.io.stamped import content_hash
from avfusion.layout import Layout
from avfusion.metrics.sums import class_scores, class_sums
from avfusion.models.model import ClassModel
from avfusion.runs.divide import choosing, divided
from avfusion.runs.inputs import Inputs
from avfusion.runs.predictor import Trained, reads
from avfusion.runs.shared import ReadInputs
from avfusion.training import device
from avfusion.training.batches import Batches, divide
from avfusion.training.loop import deterministic
from avfusion.training.precision import products

FILE = "classes.parquet"

CHUNK = 64
"""Videos that are predicted at once."""

NONE = -1
"""Prediction of a video in which the fusion's modalities are absent; it counts as wrong."""

ClassBatch = tuple[tuple[tuple[Tensor, ...], Tensor, Tensor], Tensor]
"""What `ClassModel.classify` takes, and the labels (C,)."""


class Utterances(NamedTuple):
    """Videos of a partition and their windows: V videos, N windows.

    of: indices of each video's windows; label (V,): index of the class, -1 if there is none.
    """

    names: list[str]
    windows: Windows
    of: list[Tensor]
    label: Tensor

    def inputs(self, chosen: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Return the arguments of `ClassModel.classify` for the videos of index `chosen` (C,)."""
        parts = [self.of[int(v)] for v in chosen]
        which = torch.cat(parts)
        owner = torch.repeat_interleave(
            torch.arange(len(parts)), torch.tensor([len(part) for part in parts])
        )
        return self.windows.batch(which).inputs, self.windows.used[which], owner

    def without(self, modalities: Sequence[str]) -> Tensor:
        """Return the videos (V,) in which none of the modalities is ever present."""
        first = torch.stack([self.windows.rows[windows[0], 0] for windows in self.of])
        return self.windows.without(modalities)[first]


class ClassJob:
    """One run on classes (see `avfusion.runs.job.Job`)."""

    file = FILE

    def __init__(
        self, settings: RunSettings, layout: Layout, read: ReadInputs = Inputs.read
    ) -> None:
        card = json.loads(layout.card(settings.corpus).read_text())
        if not card.get("classes"):
            raise TrainError(
                f"{settings.corpus} has no classes. Remove `task: classes` from its entry."
            )
        if settings.train.corrupt:
            raise TrainError("`train.corrupt` is not offered with `task: classes`; leave it out.")
        refuse_of_ratings(settings)
        self.settings = settings.updated(classes=card["classes"])
        self.data = read(self.settings, layout)
        self.divided = divided(self.settings, self.data, layout)
        self.train = self._labelled("train", layout)
        self.validation = self._labelled(choosing(self.settings), layout)
        self.rows = self.train.windows
        self.gold = self.train.label, self.validation.label
        self.columns: dict[str, type] = {"video": str, "partition": str}
        self.columns |= dict.fromkeys(self.settings.classes, float)

    def batches(self, generator: torch.Generator) -> Batches[ClassBatch]:
        """Return the labelled train videos of an epoch, `train.batch` at a time."""

        def load(chosen: Tensor) -> ClassBatch:
            return self.train.inputs(chosen), self.train.label[chosen]

        labelled = (self.train.label >= 0).nonzero()[:, 0]
        return Batches(divide(labelled, self.settings.train, generator, "videos"), load)

    def loss(self, model: ClassModel, batch: ClassBatch) -> Tensor:
        """Return the cross-entropy, the mean over the batch's videos, and the fusion's own term."""
        inputs, label = batch
        with products(label.device, self.settings.train.precision):
            logits = model.classify(*inputs)
            term = model.auxiliary_loss(*inputs[0])
        return F.cross_entropy(logits.float(), label) + term

    def validate(self, model: ClassModel) -> dict[str, float]:
        """Return UA of the labelled videos of validation as "score", with WA and macro F1.

        With `train.select.on: train_subjects`, it is that of the videos that are set aside.
        """
        return scores(model, self.validation, self.settings.classes, reads(self.settings))

    def hashes(self) -> dict[str, Any]:
        """Return hashes of what the run is fitted to, besides the features."""
        return {"gold": content_hash(*self.gold)}

    def _labelled(self, partition: str, layout: Layout) -> Utterances:
        """Return the videos of a partition with their labels; refuses the test partition."""
        if partition == "test":
            raise TrainError("Labels of the test partition are for scoring; training reads none.")
        videos = self.divided.videos_in(partition)
        path = layout.labels(self.settings.corpus)
        labels = pd.read_parquet(path, filters=[("video", "in", videos)])
        known = dict(zip(labels["video"], labels["label"], strict=True))
        utterances = gather(self.divided, partition, known, self.settings.classes)
        if not (utterances.label >= 0).any():
            raise TrainError(f"{path}: no label for any of {len(videos)} {partition} videos.")
        return utterances


def refuse_of_ratings(settings: RunSettings) -> None:
    """Refuse training settings that are defined only for ratings; a study is checked earlier."""
    train = settings.train
    given = {
        "train.targets: separate": train.targets == "separate",
        "train.select.protocol": train.select.protocol is not None,
        "train.head: rjcma": train.head == "rjcma",
    }
    unfit = [key for key, used in given.items() if used]
    if unfit:
        raise TrainError(
            f"{settings.corpus}: {unfit[0]} is not offered with `task: classes`. Remove it."
        )


def gather(
    data: Inputs,
    partition: str,
    labels: dict[str, str],
    classes: Sequence[str],
    keep: bool = True,
) -> Utterances:
    """Return a partition's videos with their windows; a video without a label has -1.

    `keep` as in `Inputs.windows`.
    """
    table = data.videos
    names = table["video"][table["partition"] == partition].tolist()
    windows = data.windows(partition, keep=keep)
    ends = torch.tensor([len(data.times(name)) for name in names]).cumsum(0)
    owner = torch.searchsorted(ends, windows.rows[:, 0].contiguous(), right=True)  # (N,)
    counts = torch.bincount(owner, minlength=len(names)).tolist()
    index = {name: i for i, name in enumerate(classes)}
    label = torch.tensor([index.get(labels.get(name, ""), -1) for name in names])
    return Utterances(names, windows, list(torch.arange(len(owner)).split(counts)), label)


def probabilities(model: ClassModel, utterances: Utterances) -> Tensor:
    """Return the softmax over the classes of every video (V, K)."""
    with torch.no_grad():
        chunks = torch.arange(len(utterances.names)).split(CHUNK)
        parts = [device.moved(utterances.inputs(part), device.of(model)) for part in chunks]
        return torch.cat([model.classify(*part).softmax(1).cpu() for part in parts])


def scores(
    model: ClassModel, utterances: Utterances, classes: Sequence[str], read: Sequence[str]
) -> dict[str, float]:
    """Return UA, WA and macro F1 of the labelled videos; "score" is UA.

    A video in which none of the modalities of `read` is present counts as wrong, as in `avf score`.
    """
    known = utterances.label >= 0
    predicted = probabilities(model, utterances).argmax(1)
    predicted = predicted.masked_fill(utterances.without(read), NONE)[known]
    sums = class_sums(utterances.label[known].numpy(), predicted.numpy(), len(classes))
    wa, ua, f1 = class_scores(sums.sum(axis=1)[None])[:, 0]
    return {"score": float(ua), "ua": float(ua), "wa": float(wa), "f1": float(f1)}


def predictions(trained: Trained, partitions: list[str]) -> pd.DataFrame:
    """Return `video, partition` and the probability of each class, as in classes.parquet."""
    names, model = list(trained.settings.classes), trained.model
    assert isinstance(model, ClassModel)
    parts = []
    with deterministic(trained.settings.seed):
        for partition in partitions:
            utterances = gather(trained.data, partition, {}, names, keep=False)
            table = pd.DataFrame(probabilities(model, utterances).numpy(), columns=names)
            table.loc[utterances.without(reads(trained.settings)).numpy()] = np.nan
            table.insert(0, "video", utterances.names)
            table.insert(1, "partition", partition)
            parts.append(table)
    return pd.concat(parts, ignore_index=True)
