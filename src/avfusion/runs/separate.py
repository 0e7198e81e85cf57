"""Train one model per target, one after the other (`train.targets: separate`).

Each target has a folder within the run's, with state.pt and epochs.csv. A killed run goes on with
the target that it was at. The run's best.safetensors holds the best epoch of each target.

The run's epochs.csv joins the targets' by epoch:

    loss           mean over the targets that still train
    score          mean over the targets of the best score so far, which is the score of the run if
                   it stopped there; the greatest is the score of the weights that are kept
    ccc_<target>   of this epoch; empty once the target has stopped. Other columns of several
                   targets have the target in their names too: penalty_<target>
    lr             mean over the targets that still train
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.config.jobs import RunSettings
from avfusion.errors import RunError
from avfusion.io.atomic import write_text
from avfusion.models.model import Model, SeparateModel, per_target
from avfusion.runs.files import EPOCHS, STATE, WEIGHTS
from avfusion.runs.job import Job
from avfusion.runs.ratings import RatingJob
from avfusion.training.checkpoint import save_weights

log = logging.getLogger(__name__)

FitOne = Callable[[Model, Job, Path, str], object]
"""Fits a model to a job in a folder; the text names the target."""


def fit_each(
    model: SeparateModel, job: RatingJob, folder: Path, settings: dict[str, Any], fit_one: FitOne
) -> None:
    """Fit the model of each target and write the run's best.safetensors and epochs.csv.

    Parameters
    ----------
    model
        Receives the best weights of each target.
    job
        The run.
    folder
        Folder of the run.
    settings
        Settings that best.safetensors carries.
    fit_one
        Fits the model of one target, as `avfusion.training.loop.fit` does.

    Raises
    ------
    RunError
        If the fit of a target fails; the reason names the target.
    """
    (folder / STATE).unlink(missing_ok=True)  # of a run with `targets: together`
    (folder / EPOCHS).unlink(missing_ok=True)
    tables: dict[str, pd.DataFrame] = {}

    def fit_target(target: str, rule: RunSettings) -> None:
        try:
            fit_one(model.of(target), job.of(target, rule), folder / target, target)
        except RunError as error:
            reason = f"target {target}: {error.reason}"
            raise RunError("/".join(folder.parts[-3:]), reason, error.remedy) from None
        finally:
            if (folder / target / EPOCHS).is_file():
                tables[target] = _history(folder / target / EPOCHS)
                write_text(folder / EPOCHS, joined(tables).to_csv(index=False))

    try:
        for target, rule in per_target(job.settings):
            fit_target(target, rule)
        weights = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
        save_weights(folder / WEIGHTS, weights, settings)
    finally:
        for target in tables:  # the run's file holds them
            (folder / target / WEIGHTS).unlink(missing_ok=True)


def joined(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the histories of the targets by epoch; see the top of the file.

    Parameters
    ----------
    tables
        Target -> its epochs.csv.

    Returns
    -------
    pandas.DataFrame
        The run's epochs.csv.
    """
    parts = [table.set_index("epoch") for table in tables.values()]
    epochs = pd.RangeIndex(1, max(map(len, parts)) + 1, name="epoch")
    parts = [part.reindex(epochs) for part in parts]
    best = pd.concat([part["score"].cummax().ffill() for part in parts], axis=1)
    columns: dict[str, pd.Series] = {
        "loss": _mean(parts, "loss"),
        "score": best.mean(axis=1, skipna=False),
    }
    for target, part in zip(tables, parts, strict=True):
        for name in part.columns.drop(["loss", "score", "lr"]):
            shared = sum(name in other.columns for other in parts) > 1
            columns[f"{name}_{target}" if shared else name] = part[name]
    columns["lr"] = _mean(parts, "lr")
    return pd.DataFrame(columns).reset_index()


def remove_targets(folder: Path, targets: tuple[str, ...] = ()) -> None:
    """Remove the folders of targets that an earlier training left, except those of `targets`."""
    for path in folder.glob(f"*/{STATE}"):
        if path.parent.name not in targets:
            log.info("%s: of other settings; removed", path.parent)
            shutil.rmtree(path.parent)


def _history(path: Path) -> pd.DataFrame:
    """Read epochs.csv of a target to the last bit."""
    table = pd.read_csv(path, dtype=float, float_precision="round_trip")
    return table.astype({"epoch": int})


def _mean(parts: list[pd.DataFrame], column: str) -> pd.Series:
    return pd.concat([part[column] for part in parts], axis=1).mean(axis=1)
