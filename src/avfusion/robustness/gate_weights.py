"""Write the gate weights of trained runs."""

import logging

import numpy as np
import torch

from avfusion.config.jobs import RobustSettings
from avfusion.evaluation.partitions import reported_in_corpus
from avfusion.features.windows import RowMeans, Windows
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.robustness.gates import KINDS
from avfusion.runs.files import GATES, predicts
from avfusion.runs.predictor import Trained
from avfusion.training import device
from avfusion.training.loop import deterministic

log = logging.getLogger(__name__)


def write_gates(corpus: str, settings: RobustSettings, layout: Layout) -> None:
    """Write gates.parquet into each finished run that has gates.

    The columns are `video, time_s, gate_…, high_…`, with a row per clip of the reported partition
    on clean input. No gold is read.
    """
    partition = reported_in_corpus(corpus, layout)
    runs = [layout.run(corpus, f, s) for f in settings.fusions for s in settings.seeds]
    for folder in runs:
        (folder / GATES).unlink(missing_ok=True)  # perhaps of an earlier training
        if not predicts(folder):
            continue
        trained = Trained.open(folder, layout)
        with deterministic(trained.settings.seed):
            weights = gate_weights(trained.model, trained.data.windows(partition))
        if weights:
            write_table(trained.rows(partition).assign(**weights), folder / GATES)
            log.info("%s: %d gates", folder, len(weights))


def gate_weights(
    model: torch.nn.Module, windows: Windows, batch: int = 256
) -> dict[str, np.ndarray]:
    """Return the gate weights of all rows.

    Parameters
    ----------
    model
        Returns predictions and maps by name; gates are (B, T).
    windows
        Windows of a partition with R rows.
    batch
        Windows per batch.

    Returns
    -------
    dict of str to ndarray of shape (R,)
        Gate -> weights, the mean over a row's windows; empty if the model has no gates.
    """
    gates: dict[str, RowMeans] = {}
    with torch.no_grad():
        for which in torch.arange(len(windows)).split(batch):
            inputs = device.moved(windows.batch(which).inputs, device.of(model))
            maps = model(*inputs)[1]
            used = windows.used[which]
            for name in (name for name in maps if name.startswith(KINDS)):
                means = gates.setdefault(name, RowMeans(len(windows.audio)))
                means.add(windows.rows[which][used], maps[name].cpu()[used])
    return {name: means.result().numpy() for name, means in gates.items()}
