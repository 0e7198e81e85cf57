"""Mark a run that did not train: fit.json in the folder of a run.

    epoch, epochs, score   of the weights that are kept, as in epochs.csv
    train, validation      agreement of these weights: pooled CCC of each target, UA of classes, or
                           1 - EER of verification; "score" is the mean
    ridge                  the same of ridge regression on the features that the run reads, and its
                           penalty (`avfusion.runs.ridge.yardstick`); null for a fusion in closed
                           form, which has its own `penalty`
    marks                  reasons why the run counts as "did not train"; [] if there are none
    target                 with `train.targets: separate`: epoch, epochs and score per target

A run did not train if it keeps an epoch among the first 5 % of its epochs (in more than 10 epochs,
at least the first), or if its train score is more than 0.1 below that of the ridge regression while
its validation score is lower too. A fusion that generalises better than a ridge regression which
fits the train partition too closely is not marked.
"""

import json
import logging
import math
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.io.atomic import write_text
from avfusion.models.model import Model, SeparateModel
from avfusion.runs.files import EPOCHS, FIT
from avfusion.runs.job import Job
from avfusion.runs.ridge import agreement, yardstick
from avfusion.training.loop import deterministic

log = logging.getLogger(__name__)

EARLY = 0.05
"""Share of the epochs; a run that keeps one of the first did not train."""

METRICS = {"ua": "UA", "eer": "1 - EER"}
"""A number of the train partition -> the score that it comes with."""

FEW = 10
"""In more epochs than this, the first epoch counts as early."""

FAR = 0.1
"""Distance below the train score of the ridge regression from which a run did not train."""


def write(model: Model, job: Job, folder: Path) -> None:
    """Write fit.json of a finished fit, and log a warning if the run did not train."""
    targets = job.settings.targets if isinstance(model, SeparateModel) else ()
    each = {name: _kept(folder / name / EPOCHS) for name in targets}
    content: dict[str, Any] = _kept(folder / EPOCHS)
    with deterministic(job.settings.seed):
        content |= agreement(model, job)
        solved = closed_form(model)
        content["ridge"] = None if solved else yardstick(model, job)
    content["marks"] = [] if solved else marks(content, each)
    content |= {"target": each} if each else {}
    write_text(folder / FIT, json.dumps(_finite(content), indent=2) + "\n")
    if content["marks"]:
        name = "/".join(folder.parts[-3:])
        log.warning("%s: did not train: %s", name, "; ".join(content["marks"]))


def closed_form(model: Model) -> bool:
    """Return whether a model is solved in closed form."""
    part = model.of(model.names[0]) if isinstance(model, SeparateModel) else model
    return bool(getattr(part.fusion, "closed_form", False))


def marks(content: dict[str, Any], each: dict[str, dict[str, Any]] | None = None) -> list[str]:
    """Return why a run counts as "did not train".

    Parameters
    ----------
    content
        fit.json without its marks.
    each
        Target -> its epoch and epochs, if each target is trained separately.

    Examples
    --------
    >>> scores = {"train": {"score": 0.31}, "validation": {"score": 0.2}}
    >>> ridge = {"train": {"score": 0.74}, "validation": {"score": 0.6}}
    >>> marks({"epoch": 1, "epochs": 11, **scores, "ridge": ridge})
    ['kept epoch 1 of 11', 'train CCC 0.31, ridge 0.74']
    """
    reasons = []
    for target, fit in (each or {"": content}).items():
        if fit["epoch"] <= max(int(EARLY * fit["epochs"]), int(fit["epochs"] > FEW)):
            of_target = f"{target}: " if target else ""
            reasons.append(f"{of_target}kept epoch {fit['epoch']} of {fit['epochs']}")
    ridge = content["ridge"]
    if not ridge:
        return reasons
    lower = {
        name: ridge[name]["score"] - content[name]["score"] for name in ("train", "validation")
    }
    if lower["train"] > FAR and lower["validation"] > 0:
        metric = next((word for key, word in METRICS.items() if key in content["train"]), "CCC")
        ours, linear = content["train"]["score"], ridge["train"]["score"]
        reasons.append(f"train {metric} {ours:.2f}, ridge {linear:.2f}")
    return reasons


def _finite(value: Any) -> Any:
    """Return a JSON value with null for a number that is not finite."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _kept(path: Path) -> dict[str, Any]:
    """Return epoch and score of the weights that are kept, and the number of epochs.

    path: an epochs.csv; that of a fusion in closed form has the penalty too.
    """
    table = pd.read_csv(path, float_precision="round_trip")
    scores = table["score"]
    best = int(scores.to_numpy(float, na_value=float("-inf")).argmax())  # the first of equals
    kept = {"epoch": best + 1, "epochs": len(scores), "score": float(scores.iloc[best])}
    return kept | ({"penalty": float(table["penalty"].iloc[best])} if "penalty" in table else {})
