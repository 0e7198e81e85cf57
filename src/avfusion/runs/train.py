"""One training run: features and gold in; weights, epochs and traces of one fusion out."""

import json
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from avfusion.errors import RunError, TrainError
from avfusion.features.windows import Batch, Windows
from avfusion.io.atomic import file_digest, write_text
from avfusion.io.stamped import content_hash, digest, weights_digest, write_sealed, write_stamped
from avfusion.layout import Layout
from avfusion.metrics.ccc import ccc
from avfusion.models.model import Model, build
from avfusion.provenance import code_state, machine_state
from avfusion.rating import DIMENSIONS, Rating
from avfusion.runs import classes
from avfusion.runs.augment import corrupted_batch, spreads_of
from avfusion.runs.files import command, run_folder
from avfusion.runs.grid import resolved
from avfusion.runs.inputs import Inputs
from avfusion.runs.predictor import Trained
from avfusion.schemas import PREDICTS
from avfusion.training import device
from avfusion.training.loop import deterministic, fit
from avfusion.training.losses import ccc_loss, ccc_loss_by_window

log = logging.getLogger(__name__)


def train_run(own: dict[str, Any], layout: Layout) -> None:
    """Fit the run that `own` describes (`Study.run_settings`) and write its folder.

    Gold is read for the train and validation partitions alone; the predictions cover all
    partitions. A run that fails for reasons of its own leaves failed.json and no prediction.
    """
    own, chosen = resolved(own, layout)
    seed, rule = own["seed"], own["train"]
    card = json.loads(layout.card(own["corpus"]).read_text())
    job = (classes.Job if own.get("task") == "classes" else _Ratings)(own, layout)
    own, data = job.own, job.data
    with deterministic(seed):
        model = build(own, *data.dims())
    for modality in own["features"]:
        getattr(model, modality).measure(present(getattr(job.rows, modality)))
    settings = own | {"inputs": data.hashes() | {"gold": content_hash(*job.gold)}}
    count = sum(p.numel() for p in model.parameters())
    said = {"data_hash": card["data_hash"], "missing": data.missing, "parameters": count}
    said |= {"run": digest(settings), "machine": machine_state(device.gpu())}
    said |= code_state() | chosen
    folder, point = run_folder(own, layout), [own["point"]] if "point" in own else []
    for name in ("traces.parquet", classes.FILE, "failed.json"):
        (folder / name).unlink(missing_ok=True)  # of other settings, perhaps
    write_sealed(folder / "settings.json", settings | said)
    try:
        fit(
            model,
            batches=job.batches,
            loss=job.loss,
            validate=job.validate,
            folder=folder,
            settings=settings,
            **{key: rule[key] for key in ("epochs", "lr", "weight_decay", "patience")},
            seed=seed,
            name="/".join([own["corpus"], own["fusion"], *point, f"seed{seed}"]),
        )
    except RunError as error:
        _fail(folder, error, job, settings)
    else:
        write_traces(folder, layout)


def write_traces(folder: Path, layout: Layout) -> None:
    """Write the run's predictions from its best.safetensors and the features; no gold is read."""
    trained = Trained.open(folder, layout)
    every = trained.data.videos["partition"].unique()
    names = [name for name in every if "point" not in trained.own or name in PREDICTS]
    origin = {"run": digest(trained.own), "epochs": file_digest(folder / "epochs.csv").hex()}
    origin["weights"] = weights_digest(folder / "best.safetensors")
    if trained.own.get("task") == "classes":
        write_stamped(classes.predictions(trained, names), folder / classes.FILE, origin)
        return
    parts = [trained.traces(name) for name in names]
    write_stamped(pd.concat(parts, ignore_index=True), folder / "traces.parquet", origin)


class _Ratings:
    """One run on ratings over time, as `train_run` drives it; `classes.Job` is its twin."""

    file = "traces.parquet"

    def __init__(self, own: dict[str, Any], layout: Layout) -> None:
        card = json.loads(layout.card(own["corpus"]).read_text())
        rating = Rating.of(card)
        if not rating.names:
            raise TrainError(
                f"{own['corpus']} has no ratings over time. Set `task: classes` in its entry."
            )
        self.names, self.own = rating.names, own | rating.stated()
        self.data = data = Inputs.read(self.own, layout)
        found = (
            data.windows(part, data.gold(part, layout, card["delay_s"]))
            for part in ("train", "validation")
        )
        self.rows, self.validation = found
        self.gold = self.rows.gold, self.validation.gold
        self.empty = {"video": str, "partition": str}
        self.empty |= dict.fromkeys(("time_s", *rating.names), float)
        self.asked = own["train"].get("corrupt", {})
        self.spreads = spreads_of(data, self.asked)

    def batches(self, generator: torch.Generator) -> Iterator[Batch]:
        for batch in _batches(self.rows, self.own["train"]["batch"], generator):
            asked = self.asked
            yield corrupted_batch(batch, asked, self.spreads, generator) if asked else batch

    def loss(self, model: Model, batch: Batch) -> Tensor:
        return _loss(model, batch, self.own["train"])

    def validate(self, model: Model) -> dict[str, float]:
        return scores(self.validation.predict(model), self.validation.gold, self.names)


def _fail(
    folder: Path, error: RunError, job: "_Ratings | classes.Job", settings: dict[str, Any]
) -> None:
    """Leave failed.json and no row of predictions, so that the tables can say what happened."""
    for name in ("best.safetensors", "gates.parquet"):
        (folder / name).unlink(missing_ok=True)
    said = {"reason": error.reason, "next": f"{error.remedy} Then `{command(job.own)}`."}
    write_text(folder / "failed.json", json.dumps(said, indent=2) + "\n")
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in job.empty.items()})
    write_stamped(empty, folder / job.file, {"run": digest(settings)})
    log.warning("FAILED  %s The study goes on; its tables show this run as failed.", error)


def scores(prediction: Tensor, gold: Tensor, names: Sequence[str] = DIMENSIONS) -> dict[str, float]:
    """Pooled CCC of each target over rated rows, and their mean as "score"; both (R, K)."""
    rated = ~gold.isnan()
    found = [ccc(prediction[keep, d], gold[keep, d]).item() for d, keep in enumerate(rated.T)]
    named = {f"ccc_{name}": value for name, value in zip(names, found, strict=True)}
    return {"score": sum(found) / len(found)} | named


def _loss(model: Model, batch: Batch, rule: dict[str, Any]) -> Tensor:
    """CCC loss of a batch; with bfloat16, products are rounded to it, and only while fitting."""
    kind, rounded = batch.gold.device.type, rule.get("precision") == "bfloat16"
    with torch.autocast(kind, torch.bfloat16, enabled=rounded):
        prediction, _ = model(*batch.inputs)
    by = ccc_loss_by_window if rule.get("loss") == "per_window" else ccc_loss
    return by(prediction.float(), batch.gold)


def present(rows: Tensor) -> Tensor:
    """The rows (N, D) of (R, D) that hold no NaN, in float32."""
    return rows[~rows.isnan().any(-1)].float()


def _batches(train: Windows, size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Rated windows in a new order, in batches that differ by one window at most."""
    rated = train.rated()
    order = rated[torch.randperm(len(rated), generator=generator)]
    for which in order.tensor_split(math.ceil(len(order) / size)):
        yield train.batch(which)
