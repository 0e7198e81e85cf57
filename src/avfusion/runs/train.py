"""Train one run: read features and gold, fit one fusion, write weights, epochs and predictions."""

import json
import logging
from pathlib import Path

import pandas as pd

from avfusion.config.jobs import RunRecord, RunSettings, TrainedSettings
from avfusion.errors import RunError
from avfusion.io.atomic import file_digest, write_text
from avfusion.io.stamped import digest, weights_digest, write_sealed, write_stamped
from avfusion.layout import Layout
from avfusion.models.model import Model, SeparateModel, build
from avfusion.provenance import code_state, machine_state
from avfusion.runs import classes, input_hashes, marks, ratings, ridge, scaling, verification
from avfusion.runs.divide import set_aside
from avfusion.runs.files import ATTENTION, EPOCHS, FIT, GATES, SCALING, WEIGHTS, run_folder
from avfusion.runs.grid import resolved
from avfusion.runs.inputs import Inputs
from avfusion.runs.job import Job
from avfusion.runs.predictor import Trained, warn_outside
from avfusion.runs.separate import FitOne, fit_each, remove_targets
from avfusion.runs.shared import ReadInputs
from avfusion.schemas import PREDICTS
from avfusion.training import device
from avfusion.training.loop import FitResult, deterministic, fit
from avfusion.training.rule import FitRule

log = logging.getLogger(__name__)


def train_run(settings: RunSettings, layout: Layout, read: ReadInputs = Inputs.read) -> None:
    """Fit one run and write its folder.

    Gold is read only for the train and validation partitions; the predictions cover all
    partitions. A run that diverges leaves failed.json and no prediction; the study goes on.

    Parameters
    ----------
    settings
        Settings of the run (`Study.run_settings`).
    layout
        Paths of the study.
    read
        Reads the features, or shares them with other runs.

    Raises
    ------
    TrainError
        If the fit cannot start: no rated windows, no features, or no ratings or classes.
    """
    settings, chosen = resolved(settings, layout)
    job = _job(settings, layout, read)
    settings, data, rule = job.settings, job.data, job.settings.train
    with deterministic(settings.seed):
        model = build(settings, *data.dims())
    scaling.measure(model, job)
    trained = TrainedSettings(**dict(settings), inputs=input_hashes.trained_on(data) | job.hashes())
    folder = run_folder(settings, layout)
    files = (ratings.FILE, classes.FILE, verification.FILE)
    for name in (*files, "failed.json", GATES, ATTENTION, SCALING, FIT):
        (folder / name).unlink(missing_ok=True)  # perhaps of other settings
    record = _record(trained, job, model, chosen, layout)
    write_sealed(folder / "settings.json", record.document())
    scaling.write(model, job, folder)
    remove_targets(folder, settings.targets if rule.targets == "separate" else ())
    try:
        if isinstance(model, SeparateModel):
            assert isinstance(job, ratings.RatingJob)
            fit_each(model, job, folder, trained.document(), _fitter(trained))
        else:
            _fitter(trained)(model, job, folder, "")
    except RunError as error:
        _fail(folder, error, job, record.run)
    else:
        marks.write(model, job, folder)
        write_traces(folder, layout, read)


def _fitter(trained: TrainedSettings) -> FitOne:
    """Return a function that fits a model to a job in a folder."""
    rule = FitRule.of(trained.train)
    point = [trained.point] if trained.point is not None else []
    path = [trained.corpus, trained.fusion, *point, f"seed{trained.seed}"]

    def fit_one(model: Model, job: Job, folder: Path, target: str) -> FitResult:
        """Fit a model of one target, or of all if `target` is empty."""
        of_target = {"target": target} if target else {}
        document = trained.document() | of_target
        name = "/".join([*path, target] if target else path)
        if marks.closed_form(model):
            return ridge.solve(model, job, folder, document, trained.seed, name)
        return fit(
            model,
            batches=job.batches,
            loss=job.loss,
            validate=job.validate,
            folder=folder,
            settings=document,
            rule=rule,
            seed=trained.seed,
            name=name,
        )

    return fit_one


def write_traces(folder: Path, layout: Layout, read: ReadInputs = Inputs.read) -> None:
    """Write a run's predictions from its weights and the features; no gold is read."""
    trained = Trained.open(folder, layout, read)
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
    if settings.task == "verification":
        table = verification.predictions(trained, names, layout)
        write_stamped(table, folder / verification.FILE, origin)
        return
    table = pd.concat([trained.traces(name) for name in names], ignore_index=True)
    warn_outside("/".join(folder.parts[-3:]), table, settings.rating)
    write_stamped(table, folder / ratings.FILE, origin)


def _job(settings: RunSettings, layout: Layout, read: ReadInputs) -> Job:
    if settings.task == "classes":
        return classes.ClassJob(settings, layout, read)
    if settings.task == "verification":
        return verification.VerificationJob(settings, layout, read)
    return ratings.RatingJob(settings, layout, read)


def _record(
    trained: TrainedSettings, job: Job, model: Model, chosen: dict[str, object], layout: Layout
) -> RunRecord:
    """Return the content of settings.json."""
    card = json.loads(layout.card(trained.corpus).read_text())
    return RunRecord(
        **dict(trained),
        data_hash=card["data_hash"],
        predicted=input_hashes.predicted(job.data),
        missing=job.data.missing,
        set_aside=set_aside(job.divided),
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
