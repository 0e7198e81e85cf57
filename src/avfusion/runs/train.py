"""Train one run: read features and gold, fit one fusion, write weights, epochs and predictions."""

import json
import logging
from pathlib import Path

import pandas as pd
from torch import Tensor

from avfusion.config.jobs import RunRecord, RunSettings, TrainedSettings
from avfusion.errors import RunError
from avfusion.io.atomic import file_digest, write_text
from avfusion.io.stamped import content_hash, digest, weights_digest, write_sealed, write_stamped
from avfusion.layout import Layout
from avfusion.models.model import Model, build
from avfusion.provenance import code_state, machine_state
from avfusion.runs import classes, ratings
from avfusion.runs.files import ATTENTION, EPOCHS, GATES, WEIGHTS, run_folder
from avfusion.runs.grid import resolved
from avfusion.runs.job import Job
from avfusion.runs.predictor import Trained
from avfusion.schemas import PREDICTS
from avfusion.training import device
from avfusion.training.loop import deterministic, fit

log = logging.getLogger(__name__)


def train_run(settings: RunSettings, layout: Layout) -> None:
    """Fit one run and write its folder.

    Gold is read only for the train and validation partitions; the predictions cover all
    partitions. A run that diverges leaves failed.json and no prediction; the study goes on.

    Parameters
    ----------
    settings
        Settings of the run (`Study.run_settings`).
    layout
        Paths of the study.

    Raises
    ------
    TrainError
        If the fit cannot start: no rated windows, no features, or no ratings or classes.
    """
    settings, chosen = resolved(settings, layout)
    job = _job(settings, layout)
    settings, data, rule = job.settings, job.data, job.settings.train
    with deterministic(settings.seed):
        model = build(settings, *data.dims())
    for modality in settings.features.by_modality:
        getattr(model, modality).measure(present(getattr(job.rows, modality)))
    hashes = data.hashes() | {"gold": content_hash(*job.gold)}
    trained = TrainedSettings(**dict(settings), inputs=hashes)
    folder = run_folder(settings, layout)
    for name in (ratings.FILE, classes.FILE, "failed.json", GATES, ATTENTION):
        (folder / name).unlink(missing_ok=True)  # perhaps of other settings
    record = _record(trained, job, model, chosen, layout)
    write_sealed(folder / "settings.json", record.document())
    point = [settings.point] if settings.point is not None else []
    try:
        fit(
            model,
            batches=job.batches,
            loss=job.loss,
            validate=job.validate,
            folder=folder,
            settings=trained.document(),
            epochs=rule.epochs,
            lr=rule.lr,
            weight_decay=rule.weight_decay,
            patience=rule.patience,
            seed=settings.seed,
            name="/".join([settings.corpus, settings.fusion, *point, f"seed{settings.seed}"]),
        )
    except RunError as error:
        _fail(folder, error, job, record.run)
    else:
        write_traces(folder, layout)


def write_traces(folder: Path, layout: Layout) -> None:
    """Write a run's predictions from its weights and the features; no gold is read."""
    trained = Trained.open(folder, layout)
    settings = trained.settings
    partitions = trained.data.videos["partition"].unique()
    names = [name for name in partitions if settings.point is None or name in PREDICTS]
    origin = {
        "run": digest(settings.document()),
        "epochs": file_digest(folder / EPOCHS).hex(),
        "weights": weights_digest(folder / WEIGHTS),
    }
    if settings.task == "classes":
        write_stamped(classes.predictions(trained, names), folder / classes.FILE, origin)
        return
    parts = [trained.traces(name) for name in names]
    write_stamped(pd.concat(parts, ignore_index=True), folder / ratings.FILE, origin)


def present(rows: Tensor) -> Tensor:
    """Return the rows (N, D) of (R, D) that hold no NaN, in float32."""
    return rows[~rows.isnan().any(-1)].float()


def _job(settings: RunSettings, layout: Layout) -> Job:
    if settings.task == "classes":
        return classes.ClassJob(settings, layout)
    return ratings.RatingJob(settings, layout)


def _record(
    trained: TrainedSettings, job: Job, model: Model, chosen: dict[str, object], layout: Layout
) -> RunRecord:
    """Return the content of settings.json."""
    card = json.loads(layout.card(trained.corpus).read_text())
    return RunRecord(
        **dict(trained),
        data_hash=card["data_hash"],
        missing=job.data.missing,
        parameters=sum(p.numel() for p in model.parameters()),
        run=digest(trained.document()),
        machine=machine_state(device.gpu()),
        **code_state(),
        chosen=chosen,
    )


def _fail(folder: Path, error: RunError, job: Job, run: str) -> None:
    """Write failed.json and a table of predictions without rows; tables then show the failure."""
    (folder / WEIGHTS).unlink(missing_ok=True)
    content = {"reason": error.reason, "next": f"{error.remedy} Then `{job.settings.command}`."}
    write_text(folder / "failed.json", json.dumps(content, indent=2) + "\n")
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in job.columns.items()})
    write_stamped(empty, folder / job.file, {"run": run})
    log.warning("FAILED  %s The study goes on; its tables show this run as failed.", error)
