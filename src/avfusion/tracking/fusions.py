"""Records of fusions in MLflow, between the record of the study and those of the runs."""

import json
import time

from avfusion.evaluation.run_scores import Run
from avfusion.io.stamped import content_key
from avfusion.registry import fusions
from avfusion.runs.files import did_not_train
from avfusion.tracking.headline import Headline
from avfusion.tracking.store import Store, texts


def record_fusions(
    store: Store, headline: Headline, runs: list[Run], study: str, form: bytes
) -> dict[str, str]:
    """Record each fusion below the study, and return fusion -> ID of its record.

    Parameters
    ----------
    store
        The records of the study.
    headline
        Score, interval and rank of each fusion.
    runs
        The runs of the fusions.
    study
        ID of the record of the study.
    form
        Changes when the content of records changes.
    """
    of_fusion: dict[str, list[Run]] = {}
    for run in runs:
        of_fusion.setdefault(run.settings.fusion, []).append(run)
    idents = {}
    for fusion, trainings in of_fusion.items():
        values = headline.fusions.get(fusion, {})
        note = _note(fusion, trainings, headline)
        stated = json.dumps([values, note]).encode()
        trained = content_key(*(run.trained().encode() for run in trainings))
        key = content_key(form, *(run.key().encode() for run in trainings), stated)
        marked = "; ".join(f"seed {r.settings.seed}" for r in trainings if did_not_train(r.folder))
        tags = {"kind": "fusion", "fusion": fusion, "mlflow.parentRunId": study}
        tags |= texts({"did_not_train": marked or None, "mlflow.note.content": note})
        ident, new = store.start(fusion, key, trained, tags)
        if new:
            metrics = [(name, value, 0) for name, value in values.items()]
            params = {
                "class": trainings[0].settings.class_,
                "options": str(trainings[0].settings.options),
            }
            store.close(ident, key, params, metrics, int(time.time() * 1000))
        idents[fusion] = ident
    for ident, tags in store.of_kind("fusion").items():
        if tags["mlflow.runName"] not in idents:
            store.tag(ident, {"current": "False"})
    return idents


def _note(fusion: str, runs: list[Run], headline: Headline) -> str:
    """Return the description of a fusion: what it is, its headline, and its seeds."""
    kind = runs[0].settings.class_
    title = fusions.docstrings(kind)[0].split("\n\n")[0] if fusions.known(kind) else kind
    values = headline.fusions.get(fusion, {})
    lines = [f"**{fusion}**: {' '.join(title.split())}", "", headline.what + ":"]
    lines += [f"- {name.partition(' ')[2]}: {values[name]:.3g}" for name in sorted(values)]
    seeds = ", ".join(str(run.settings.seed) for run in runs)
    return "\n".join([*lines, "", f"Seeds: {seeds}. Each is a run below."])
