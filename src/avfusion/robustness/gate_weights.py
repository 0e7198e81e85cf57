"""Read and write the gate weights of a trained run."""

from typing import Any

import torch

from avfusion.features.windows import Windows
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.robustness.gates import KINDS, log
from avfusion.robustness.stage import reported_partition
from avfusion.runs.files import predicts
from avfusion.runs.predictor import Trained
from avfusion.training import device
from avfusion.training.loop import deterministic


def write_gates(corpus: str, study: dict[str, Any], layout: Layout) -> None:
    """Write gates.parquet into each finished run that has gates: `video, time_s, gate_…, high_…`.

    A weight a clip of the reported partition, on whole input; no gold is read.
    """
    partition = reported_partition(corpus, layout)
    runs = [layout.run(corpus, f, s) for f in study["fusions"] for s in study["seeds"]]
    for folder in (folder for folder in runs if predicts(folder)):
        trained = Trained.open(folder, layout)
        with deterministic(trained.own["seed"]):
            weights = gate_weights(trained.model, trained.data.windows(partition))
        if weights:
            write_table(trained.rows(partition).assign(**weights), folder / "gates.parquet")
            log.info("%s: %d gates", folder, len(weights))


def gate_weights(model: torch.nn.Module, windows: Windows, batch: int = 256) -> dict[str, Any]:
    """Every gate's map (B, T) as a weight for each row (R,); empty if there are none."""
    found: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for which in torch.arange(len(windows)).split(batch):
            given = device.moved(windows.batch(which).inputs, device.of(model))
            maps = model(*given)[1]
            used = windows.used[which]
            for name in (name for name in maps if name.startswith(KINDS)):
                rows = found.setdefault(name, torch.full((len(windows.audio),), torch.nan))
                rows[windows.rows[which][used]] = maps[name].cpu()[used]
    return {name: rows.numpy() for name, rows in found.items()}
