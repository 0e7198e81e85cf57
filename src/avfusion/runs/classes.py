"""Runs on classes: one label a whole video, told from what its present steps have in common."""

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from avfusion.errors import TrainError
from avfusion.features.windows import Windows
from avfusion.layout import Layout
from avfusion.metrics.sums import class_scores, class_sums
from avfusion.models.model import ClassModel
from avfusion.runs.inputs import Inputs
from avfusion.runs.predictor import Trained
from avfusion.training import device
from avfusion.training.loop import deterministic

FILE = "classes.parquet"


CHUNK = 64


class Utterances(NamedTuple):
    """Windows of a partition and whose they are: V videos, N windows.

    of: the windows' numbers, a tensor a video; label (V,): a class' number, -1 where there is none.
    """

    names: list[str]
    windows: Windows
    of: list[Tensor]
    label: Tensor

    def inputs(self, chosen: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """What `ClassModel` takes for the videos numbered `chosen` (C,)."""
        parts = [self.of[int(v)] for v in chosen]
        which = torch.cat(parts)
        owner = torch.repeat_interleave(
            torch.arange(len(parts)), torch.tensor([len(part) for part in parts])
        )
        return self.windows.batch(which).inputs, self.windows.used[which], owner


class Job:
    """One run on classes, as `train_run` drives it, as `train._Ratings` is."""

    file = FILE

    def __init__(self, own: dict[str, Any], layout: Layout) -> None:
        card = json.loads(layout.card(own["corpus"]).read_text())
        if not card.get("classes"):
            raise TrainError(
                f"{own['corpus']} has no classes. Remove `task: classes` from its entry."
            )
        if own["train"].get("corrupt"):
            raise TrainError("`train.corrupt` is not offered with `task: classes`; leave it out.")
        self.own = own | {"classes": card["classes"]}
        self.data = Inputs.read(self.own, layout)
        found = (self._labelled(part, layout) for part in ("train", "validation"))
        self.train, self.validation = found
        self.rows = self.train.windows
        self.gold = self.train.label, self.validation.label
        self.empty = {"video": str, "partition": str} | dict.fromkeys(card["classes"], float)

    def batches(self, generator: torch.Generator) -> Iterator[Any]:
        """Labelled train videos in a new order, `train.batch` at a time."""
        labelled = (self.train.label >= 0).nonzero()[:, 0]
        order = labelled[torch.randperm(len(labelled), generator=generator)]
        for chosen in order.tensor_split(math.ceil(len(order) / self.own["train"]["batch"])):
            yield self.train.inputs(chosen), self.train.label[chosen]

    def loss(self, model: ClassModel, batch: Any) -> Tensor:
        """Cross-entropy, the mean over the batch's videos."""
        inputs, label = batch
        rounded = self.own["train"].get("precision", "float32") == "bfloat16"
        with torch.autocast(label.device.type, torch.bfloat16, enabled=rounded):
            logits = model.classify(*inputs)
        return F.cross_entropy(logits.float(), label)

    def validate(self, model: ClassModel) -> dict[str, float]:
        """UA of the labelled validation videos as "score", with WA and macro F1."""
        known = self.validation.label >= 0
        predicted = probabilities(model, self.validation)[known].argmax(1)
        label = self.validation.label[known]
        sums = class_sums(label.numpy(), predicted.numpy(), len(self.own["classes"]))
        wa, ua, f1 = class_scores(sums.sum(axis=1)[None])[:, 0]
        return {"score": float(ua), "ua": float(ua), "wa": float(wa), "f1": float(f1)}

    def _labelled(self, partition: str, layout: Layout) -> Utterances:
        if partition == "test":
            raise TrainError("Labels of the test partition are for scoring; training reads none.")
        table = self.data.videos
        videos = table["video"][table["partition"] == partition].tolist()
        path = layout.labels(self.own["corpus"])
        labels = pd.read_parquet(path, filters=[("video", "in", videos)])
        known = dict(zip(labels["video"], labels["label"], strict=True))
        found = gather(self.data, partition, known, self.own["classes"])
        if not (found.label >= 0).any():
            raise TrainError(f"{path}: no label for any of {len(videos)} {partition} videos.")
        return found


def gather(data: Inputs, partition: str, labels: dict[str, str], classes: list[str]) -> Utterances:
    """A partition's videos with their windows; a video without a label has -1."""
    table = data.videos
    names = table["video"][table["partition"] == partition].tolist()
    windows = data.windows(partition)
    ends = torch.tensor([len(data.times(name)) for name in names]).cumsum(0)
    owner = torch.searchsorted(ends, windows.rows[:, 0].contiguous(), right=True)  # (N,)
    counts = torch.bincount(owner, minlength=len(names)).tolist()
    number = {name: i for i, name in enumerate(classes)}
    label = torch.tensor([number.get(labels.get(name), -1) for name in names])
    return Utterances(names, windows, list(torch.arange(len(owner)).split(counts)), label)


def probabilities(model: ClassModel, found: Utterances) -> Tensor:
    """Softmax over the classes of every video (V, K)."""
    with torch.no_grad():
        chunks = torch.arange(len(found.names)).split(CHUNK)
        parts = [device.moved(found.inputs(chosen), device.of(model)) for chosen in chunks]
        return torch.cat([model.classify(*part).softmax(1).cpu() for part in parts])


def predictions(trained: Trained, partitions: list[str]) -> pd.DataFrame:
    """classes.parquet of some partitions: `video, partition` and each class' probability."""
    parts, names = [], trained.own["classes"]
    with deterministic(trained.own["seed"]):
        for partition in partitions:
            found = gather(trained.data, partition, {}, names)
            table = pd.DataFrame(probabilities(trained.model, found).numpy(), columns=names)
            table.insert(0, "video", found.names)
            table.insert(1, "partition", partition)
            parts.append(table)
    return pd.concat(parts, ignore_index=True)
