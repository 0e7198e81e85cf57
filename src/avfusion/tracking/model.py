"""Register the best run of a corpus as a model that MLflow serves, without pickle.

The best run has the highest validation score under the headline protocol; test scores are not used.
A version holds weights (safetensors), settings, a card, and the source of the modules that the
model needs, those of avfusion and of an outside fusion. It loads where neither is installed.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from avfusion.evaluation.run_scores import Run
from avfusion.io.stamped import content_key
from avfusion.registry import fusions
from avfusion.tracking.code import ServedCode
from avfusion.tracking.store import Store, Tags
from avfusion.tracking.versions import add, content, holder, listed, point, write_model


def register_best(
    store: Store, runs: list[Run], headline: str, card: Callable[[Run], str]
) -> str | None:
    """Register the model of the best run and give it the alias `best`.

    An existing version is not made again. Of two studies of the same data in one store, the one
    with the higher validation score keeps the alias.

    Parameters
    ----------
    store
        The records of the study.
    runs
        Runs to choose from.
    headline
        Protocol of the validation score.
    card
        Returns the model card of a run.

    Returns
    -------
    str or None
        URI of the version; None if no run is scored, or another study has the better model.
    """
    each = [(validation_score(run, headline), run) for run in runs]
    scored = [(score, run) for score, run in each if score is not None]
    if not scored:
        return None
    score, run = max(scored, key=lambda pair: pair[0])
    name, key = f"avfusion-{store.corpus}", content_key(*_content(run))
    about = {"key": key, "study_id": store.study, "run": run.name, "protocol": headline}
    about |= {"data_hash": run.settings.data_hash, "validation_ccc": f"{score:.6f}"}
    versions = listed(store, name)
    same = [v for v, tags in versions.items() if tags.get("key") == key]
    if not same and _held_by_better(store, name, versions, about):
        return None
    version = same[0] if same else None
    if version is None:
        (ident,) = [i for i, t in store.of_kind("run").items() if _shows(t, run)]
        version = add(store, name, ident, partial(save, run.folder), about, card(run))
    point(store, name, version)
    return f"models:/{name}/{version}"


def validation_score(run: Run, protocol: str) -> float | None:
    """Return the mean CCC on the validation partition; None without a score, or on classes."""
    table = run.scores
    if "ccc" not in table:
        return None
    rows = table[(table["partition"] == "validation") & (table["protocol"] == protocol)]
    values = rows.loc[rows["target"] == "mean", "ccc"].dropna()
    return float(values.iloc[0]) if len(values) else None


def save(run: Path, folder: Path) -> None:
    """Write a run's weights as an MLflow model that `mlflow.pyfunc.load_model` opens."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    from avfusion.runs.serve import Served

    served = Served.open(run / "best.safetensors")
    features = [column for columns in served.columns().values() for column in columns]
    inputs: list[ColSpec | TensorSpec] = [ColSpec("string", "video"), ColSpec("double", "time_s")]
    inputs += [ColSpec("double", column) for column in features]
    write_model(
        folder,
        "tracking/served.py",
        {"weights": run / "best.safetensors", "settings": run / "settings.json"},
        code_of(served.settings.class_),
        ModelSignature(
            Schema(inputs), Schema([ColSpec("double", name) for name in served.targets])
        ),
    )


def code_of(kind: str) -> ServedCode:
    """Return the code that serves a run of a fusion, by its registry name or path."""
    return ServedCode(("avfusion.runs.serve",), ((fusions, kind),))


def _content(run: Run) -> list[bytes]:
    """Return what a version is made of."""
    code = content(code_of(run.settings.class_), "tracking/served.py")
    return [(run.folder / "best.safetensors").read_bytes(), *code]


def _held_by_better(
    store: Store, name: str, versions: dict[str, Tags], about: dict[str, Any]
) -> bool:
    """Return whether another study of the same data holds the alias with a better score."""
    held = versions.get(holder(store, name) or "", {}) if versions else {}
    same = all(held.get(tag) == str(about[tag]) for tag in ("data_hash", "protocol"))
    foreign = held.get("study_id") != about["study_id"]
    return same and foreign and float(held["validation_ccc"]) >= float(about["validation_ccc"])


def _shows(tags: Tags, run: Run) -> bool:
    return tags["mlflow.runName"] == run.name and tags.get("current") == "True"
