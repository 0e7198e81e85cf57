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

from avfusion import device
from avfusion.augment import Spreads, corrupted_batch, spreads_of
from avfusion.errors import RunError
from avfusion.fit import deterministic, fit
from avfusion.grids import PREDICTS, command, resolved, run_folder
from avfusion.inputs import Inputs, content_hash
from avfusion.layout import Layout
from avfusion.losses import ccc_loss
from avfusion.metrics import ccc
from avfusion.model import Model, build
from avfusion.provenance import code_state, machine_state
from avfusion.rating import DIMENSIONS, Rating
from avfusion.shards import write_table
from avfusion.trained import Trained
from avfusion.whole import write_text
from avfusion.windows import Batch, Windows

log = logging.getLogger(__name__)


def train_run(own: dict[str, Any], layout: Layout) -> None:
    """Fit the run that `own` describes (`Study.run_settings`) and write its folder.

    Gold is read for the train and validation partitions alone; the traces cover all partitions.
    A run that fails for reasons of its own leaves failed.json and traces without a row.
    """
    own, chosen = resolved(own, layout)
    corpus, seed, rule = own["corpus"], own["seed"], own["train"]
    card = json.loads(layout.card(corpus).read_text())
    rating = Rating.of(card)
    own = own | rating.stated()
    data = Inputs.read(own, layout)
    train = data.windows("train", data.gold("train", layout, card["delay_s"]))
    validation = data.windows("validation", data.gold("validation", layout, card["delay_s"]))
    with deterministic(seed):
        model = build(own, *data.dims())
    for modality in own["features"]:
        getattr(model, modality).measure(present(getattr(train, modality)))
    settings = own | {"inputs": data.hashes() | {"gold": content_hash(train.gold, validation.gold)}}
    count = sum(p.numel() for p in model.parameters())
    said = {"data_hash": card["data_hash"], "missing": data.missing, "parameters": count}
    said |= code_state() | chosen | {"machine": machine_state(device.gpu())}
    folder, point = run_folder(own, layout), [own["point"]] if "point" in own else []
    for name in ("traces.parquet", "failed.json"):
        (folder / name).unlink(missing_ok=True)  # of other settings, perhaps
    write_text(folder / "settings.json", json.dumps(settings | said, indent=2))
    asked = rule.get("corrupt", {})
    spreads = spreads_of(data, asked)
    try:
        fit(
            model,
            batches=lambda generator: _spoilt(
                _batches(train, rule["batch"], generator), asked, spreads, generator
            ),
            loss=lambda model, batch: _loss(model, batch, rule.get("precision", "float32")),
            validate=lambda model: scores(validation.predict(model), validation.gold, rating.names),
            folder=folder,
            settings=settings,
            **{key: rule[key] for key in ("epochs", "lr", "weight_decay", "patience")},
            seed=seed,
            name="/".join([corpus, own["fusion"], *point, f"seed{seed}"]),
        )
    except RunError as error:
        _fail(folder, error, own)
    else:
        write_traces(folder, layout)


def write_traces(folder: Path, layout: Layout) -> None:
    """Write traces.parquet from the folder's best.safetensors and the features; no gold is read."""
    trained = Trained.open(folder, layout)
    every = trained.data.videos["partition"].unique()
    names = [name for name in every if "point" not in trained.own or name in PREDICTS]
    parts = [trained.traces(name) for name in names]
    write_table(pd.concat(parts, ignore_index=True), folder / "traces.parquet")


def _fail(folder: Path, error: RunError, own: dict[str, Any]) -> None:
    """Leave failed.json and traces without a row, so that the tables can say what happened."""
    for name in ("best.safetensors", "gates.parquet"):
        (folder / name).unlink(missing_ok=True)
    said = {"reason": error.reason, "next": f"{error.remedy} Then `{command(own)}`."}
    write_text(folder / "failed.json", json.dumps(said, indent=2) + "\n")
    columns = {"video": str, "partition": str} | dict.fromkeys(
        ("time_s", *Rating.of(own).names), float
    )
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    write_table(empty, folder / "traces.parquet")
    log.warning("FAILED  %s The study goes on; its tables show this run as failed.", error)


def scores(prediction: Tensor, gold: Tensor, names: Sequence[str] = DIMENSIONS) -> dict[str, float]:
    """Pooled CCC of each target over rated rows, and their mean as "score"; both (R, K)."""
    rated = ~gold.isnan()
    found = [ccc(prediction[keep, d], gold[keep, d]).item() for d, keep in enumerate(rated.T)]
    named = {f"ccc_{name}": value for name, value in zip(names, found, strict=True)}
    return {"score": sum(found) / len(found)} | named


def _loss(model: Model, batch: Batch, precision: str) -> Tensor:
    """CCC loss of a batch; with bfloat16, products are rounded to it, and only while fitting."""
    kind = batch.audio.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
        prediction, _ = model(*batch.inputs)
    return ccc_loss(prediction.float(), batch.gold)


def present(rows: Tensor) -> Tensor:
    """The rows (N, D) of (R, D) that hold no NaN, in float32."""
    return rows[~rows.isnan().any(-1)].float()


def _spoilt(
    batches: Iterator[Batch],
    asked: dict[str, float],
    spreads: Spreads,
    generator: torch.Generator,
) -> Iterator[Batch]:
    for batch in batches:
        yield corrupted_batch(batch, asked, spreads, generator) if asked else batch


def _batches(train: Windows, size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Rated windows in a new order, in batches that differ by one window at most."""
    rated = train.rated()
    order = rated[torch.randperm(len(rated), generator=generator)]
    for which in order.tensor_split(math.ceil(len(order) / size)):
        yield train.batch(which)
