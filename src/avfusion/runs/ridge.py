"""Fit linear models in closed form: the run of a fusion with `closed_form`, and the yardstick.

The yardstick is the ridge regression on the features that a run reads. A run whose agreement with
the train gold is far below it did not train (`avfusion.runs.marks`).
"""

import copy
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avfusion.config.modalities import MODALITIES
from avfusion.errors import DamagedError, RunError, TrainError
from avfusion.fusion.ridge import RidgeRegression
from avfusion.models.model import MODELS, ClassModel, Model, VerificationModel
from avfusion.runs import classes, ratings, verification
from avfusion.runs.files import EPOCHS, STATE, WEIGHTS
from avfusion.runs.job import Job
from avfusion.runs.predictor import reads
from avfusion.training import device
from avfusion.training.checkpoint import key, load_state, save_history, save_state, save_weights
from avfusion.training.loop import FitResult, deterministic
from avfusion.training.ridge import STRENGTHS, Ridge

log = logging.getLogger(__name__)

PART = 4096
"""Rows whose features are in memory at once."""

MOST, VALUES = 20_000, 10**8
"""Most train rows that the yardstick is fitted to, in evenly spaced windows, and most values."""

WIDEST = 10_000
"""Most features for which all rows are used; their (D, D) matrix has 800 MB."""

Scores = dict[str, float]


def solve(
    model: Model, job: Job, folder: Path, settings: dict[str, Any], seed: int, name: str
) -> FitResult:
    """Solve the linear head of a model and write the files of a fit with one epoch.

    All rated train rows count once per window that they are used in. Of more than 10,000 features,
    evenly spaced windows with up to 1e8 values are used, and a warning is logged. The strength of
    the penalty is the one with the best score of `job.validate`, the smallest of equals. A finished
    fit is not repeated. `seed` changes nothing in the weights.

    Parameters
    ----------
    model
        Receives the weights.
    job
        The run.
    folder
        Receives state.pt, epochs.csv and best.safetensors.
    settings
        JSON-ready settings that name the fit; best.safetensors carries them.
    seed
        Of PyTorch, which is made deterministic.
    name
        What is fitted, for log and messages.

    Returns
    -------
    FitResult
        The weights and their score. In epochs.csv, `loss` is 1 - the train score.

    Raises
    ------
    RunError
        If no strength has a finite score.
    """
    settings_key = key({**settings, "fit": {"strengths": list(STRENGTHS), "name": name}})
    path = folder / STATE
    with deterministic(seed):
        state = _saved(path, settings_key)
        if state is None:
            scores, strength = _fitted(model, job, job.validate, _most(model, job, name), name)
            model.cpu()
            train = agreement(model, job)["train"]["score"]
            score = scores.pop("score")
            row = {"epoch": 1, "loss": 1 - train, "score": score, **scores, "lr": 0.0}
            row["penalty"] = strength
            state = {"row": row, "best": dict(model.state_dict())}
            save_state(path, state, settings_key)
    row = state["row"]
    model.load_state_dict(state["best"])
    save_history(folder / EPOCHS, [row])
    save_weights(folder / WEIGHTS, state["best"], settings)
    score = float(row["score"])
    log.info("%s: solved in closed form, penalty %g, score %.4f", name, row["penalty"], score)
    return FitResult(folder / WEIGHTS, score, 1, 1)


def _most(model: Model, job: Job, name: str) -> int | None:
    """Return how many train rows a fusion in closed form is fitted to; None for all of them."""
    head = model.head
    assert isinstance(head, nn.Linear)
    width = head.in_features
    if width <= WIDEST:
        return None
    most = max(1, VALUES // width)
    which, rows = _units(job)
    count = len(which) * rows
    if count > most:
        log.warning(
            "%s: fitted to about %d of %d rated train rows, because of %d features; use an encoder "
            "with fewer",
            *(name, most, count, width),
        )
    return most


def yardstick(model: Model, job: Job) -> dict[str, Any]:
    """Return agreement and penalty of ridge regression on the features that a run reads.

    Parameters
    ----------
    model
        Its standardisation is used.
    job
        The run. At most 20,000 rows are fitted to, fewer of more than 5,000 features; the scores
        are of all rows.

    Returns
    -------
    dict
        `penalty`, and the scores of `train` and `validation`; empty if no penalty has a score.
    """
    settings, dims = job.settings, job.data.dims()
    read = reads(settings)
    fusion = RidgeRegression(*dims, steps=settings.windows.clips, modalities=read)
    head = nn.Linear(fusion.out_dim, len(settings.outputs))
    probe = MODELS[settings.task](fusion, head, *dims, rule=settings.train, read=read)
    for modality in (name for name in MODALITIES if hasattr(model, name)):
        setattr(probe, modality, copy.deepcopy(getattr(model, modality)).cpu())
    most = min(MOST, max(1, VALUES // fusion.out_dim))

    def measure(probe: Model) -> Scores:
        return agreement(probe, job, ("validation",))["validation"]

    try:
        _, strength = _fitted(probe, job, measure, most)
    except RunError:
        return {}
    return {"penalty": strength, **agreement(probe, job)}


def agreement(
    model: Model, job: Job, partitions: tuple[str, ...] = ("train", "validation")
) -> dict[str, Scores]:
    """Return the scores of a model on the rows it is fitted to, and on those that choose its epoch.

    They are the pooled CCC of each target, or UA, WA and F1 of classes; "score" is the CCCs' mean
    or UA. Of verification, it is 1 - EER. No protocol applies.
    """
    model.eval()
    if isinstance(job, verification.VerificationJob):
        assert isinstance(model, VerificationModel)
        return {name: job.scores(model, name) for name in partitions}
    if isinstance(job, classes.ClassJob):
        assert isinstance(model, ClassModel)
        names = job.settings.classes
        parts = {"train": job.train, "validation": job.validation}
        read = reads(job.settings)
        return {name: classes.scores(model, parts[name], names, read) for name in partitions}
    assert isinstance(job, ratings.RatingJob)
    windows = {"train": job.rows, "validation": job.validation}
    result = {}
    for name in partitions:
        predicted = job.predicted(model, windows[name])
        # Rows outside the windows of `windows.last: dropped` have no prediction.
        gold = windows[name].gold.where(~predicted.isnan(), torch.nan)
        result[name] = ratings.scores(predicted, gold, job.settings.targets)
    return result


def _fitted(
    model: Model,
    job: Job,
    measure: Callable[[Any], Scores],
    most: int | None = None,
    name: str = "ridge",
) -> tuple[Scores, float]:
    """Set the head to the penalty of the best score, and return its scores and the strength."""
    model.cpu().eval()
    try:
        ridge = Ridge(lambda: _examples(model, job, most))
    except ValueError as error:
        raise RunError(name, f"{error}.", f"Run `avf verify {job.settings.corpus}`.") from None
    best: tuple[Scores, float] | None = None
    for strength in STRENGTHS:
        _set(model, ridge, strength)
        with torch.no_grad():
            scores = measure(model.to(device.chosen()))
        if math.isfinite(scores["score"]) and (best is None or scores["score"] > best[0]["score"]):
            best = dict(scores), strength
    if best is None:
        reason = "no penalty gave a finite validation score: predictions or gold are constant."
        raise RunError(name, reason, "Look at the ratings of the validation videos.")
    _set(model, ridge, best[1])
    return best


def _set(model: Model, ridge: Ridge, strength: float) -> None:
    """Write the weights for a strength into the linear head."""
    weight, bias = ridge.weights(strength)
    head = model.head
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)


def _examples(model: Model, job: Job, most: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the input of the head (N, W) and the gold (N, K) of the train rows, in order."""
    with torch.no_grad(), _without_head(model):
        if isinstance(job, classes.ClassJob):
            assert isinstance(model, ClassModel)
            yield from _of_videos(model, job, most)
        else:
            assert isinstance(job, ratings.RatingJob)
            yield from _of_rows(model, job, most)


def _of_rows(
    model: Model, job: ratings.RatingJob, most: int | None
) -> Iterator[tuple[Tensor, Tensor]]:
    which, clips = _units(job)
    for part in _spaced(which, clips, most).split(max(1, PART // clips)):
        batch = job.rows.batch(part)
        features, _ = model(*batch.inputs)  # (B, L, W)
        known = ~batch.gold.isnan().all(-1)
        yield features[known], batch.gold[known]


def _of_videos(
    model: ClassModel, job: classes.ClassJob, most: int | None
) -> Iterator[tuple[Tensor, Tensor]]:
    which, rows = _units(job)
    for part in _spaced(which, rows, most).split(classes.CHUNK):
        features = model.classify(*job.train.inputs(part))  # (C, W)
        yield features, F.one_hot(job.train.label[part], len(job.settings.classes)).float()


def _units(job: Job) -> tuple[Tensor, int]:
    """Return the rated windows and the rows of each, or the labelled videos, of one row each."""
    if isinstance(job, classes.ClassJob):
        return (job.train.label >= 0).nonzero()[:, 0], 1
    assert isinstance(job, ratings.RatingJob)
    return job.rows.rated(), job.rows.rows.shape[1]


def _spaced(which: Tensor, rows: int, most: int | None) -> Tensor:
    """Return evenly spaced ones of `which`, which have `rows` rows each, up to `most` rows."""
    return which if most is None else which[:: max(1, math.ceil(len(which) * rows / most))]


@contextmanager
def _without_head(model: Model) -> Iterator[None]:
    """Let a model return what its head gets."""
    head = model.head
    model.head = nn.Identity()
    try:
        yield
    finally:
        model.head = head


def _saved(path: Path, settings_key: str) -> dict[str, Any] | None:
    """Return the state of a finished fit; None if there is none of these settings."""
    try:
        return load_state(path, settings_key) if path.is_file() else None
    except (DamagedError, TrainError) as error:  # solving again gives the same numbers
        log.warning("%s is damaged or of other settings; solving again (%s)", path, error)
        return None
