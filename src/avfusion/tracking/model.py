"""The best checkpoint of a corpus as a registered model that MLflow serves; no class is pickled.

Best is said by the validation partition under the headline protocol; test scores choose nothing.
A version holds weights (safetensors), settings, the modules of avfusion that the model needs, as
source, and its card, so it loads where avfusion is not installed.
"""

import importlib.metadata
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avfusion.evaluation.run_scores import Run
from avfusion.fingerprint import PACKAGE, imported, module_file
from avfusion.io.stamped import content_key
from avfusion.registry import fusions
from avfusion.tracking.store import Store, Tags, texts

ALIAS = "best"


NEEDS = ("mlflow", "numpy", "pandas", "pyarrow", "safetensors", "torch")


FOLDER = "model"


DESCRIPTION = 5000  # characters; MLflow's limit


def register_best(
    store: Store, runs: list[Run], headline: str, card: Callable[[Run], str]
) -> str | None:
    """Give the best run's model the alias `best`; its version, or None where nothing is scored.

    A version that is there already is not made again. Of two studies of the same data in one
    store, the one with the higher validation score keeps the alias.
    """
    found = [(validation_score(run, headline), run) for run in runs]
    scored = [(score, run) for score, run in found if score is not None]
    if not scored:
        return None
    score, run = max(scored, key=lambda pair: pair[0])
    name, key = f"avfusion-{store.corpus}", content_key(*_content(run))
    about = {"key": key, "study_id": store.study, "run": run.name, "protocol": headline}
    about |= {"data_hash": run.settings.get("data_hash"), "validation_ccc": f"{score:.6f}"}
    versions = _versions(store, name)
    have = [v for v, tags in versions.items() if tags.get("key") == key]
    if not have and _held_by_better(store, name, versions, about):
        return None
    version = have[0] if have else _add(store, name, run, about, card(run))
    if _holder(store, name) != version:
        store.client.set_registered_model_alias(name, ALIAS, version)
    return f"models:/{name}/{version}"


def validation_score(run: Run, protocol: str) -> float | None:
    """Mean CCC on the validation partition under the protocol; none of a run on classes."""
    table = run.scores
    if "ccc" not in table:
        return None
    rows = table[(table["partition"] == "validation") & (table["protocol"] == protocol)]
    values = rows.loc[rows["target"] == "mean", "ccc"].dropna()
    return float(values.iloc[0]) if len(values) else None


def _add(store: Store, name: str, run: Run, about: dict[str, Any], card: str) -> str:
    """Upload the run's model and register it; its version's key is written last."""
    (ident,) = [i for i, t in store.of_kind("run").items() if _shows(t, run)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / FOLDER
        save(run.folder, folder)
        store.client.log_artifacts(ident, str(folder), FOLDER)
    source = f"{store.client.get_run(ident).info.artifact_uri}/{FOLDER}"
    if not store.client.search_registered_models(f"name = '{name}'"):
        store.client.create_registered_model(name)
    made = store.client.create_model_version(name, source, ident, description=card[:DESCRIPTION])
    tags = texts(about)
    for tag in sorted(tags, key=lambda tag: tag == "key"):
        store.client.set_model_version_tag(name, made.version, tag, tags[tag])
    return str(made.version)


def save(run: Path, folder: Path) -> None:
    """Write a run's weights as an MLflow model that `mlflow.pyfunc.load_model` opens."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from avfusion.runs.serve import Served

    served = Served.open(run / "best.safetensors")
    wide = [column for own in served.columns().values() for column in own]
    inputs = [ColSpec("string", "video"), ColSpec("double", "time_s")]
    inputs += [ColSpec("double", column) for column in wide]
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # asks for an example of the input, which is people's data
        code = Path(temporary) / "avfusion"
        _copy_code(served.own["class"], code)
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(PACKAGE / "tracking/served.py"),
            artifacts={
                "weights": str(run / "best.safetensors"),
                "settings": str(run / "settings.json"),
            },
            code_paths=[str(code)],
            signature=ModelSignature(
                Schema(inputs), Schema([ColSpec("double", name) for name in served.targets])
            ),
            pip_requirements=[f"{n}=={importlib.metadata.version(n)}" for n in NEEDS],
        )
    _without_folder(folder / "MLmodel")


def _without_folder(path: Path) -> None:
    """MLmodel names where its code was on this machine; MLflow reads the file's name of it."""
    text = path.read_text()
    path.write_text(text.replace(f"{PACKAGE}/", ""))


def _copy_code(kind: str, folder: Path) -> None:
    """The modules behind `serve` and one fusion, as a package of their own."""
    for path in _code(kind):
        target = folder / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _code(kind: str) -> list[Path]:
    names = imported("avfusion.runs.serve", fusions.module(kind))
    files = {path for path in map(module_file, names) if path}
    folders = {PACKAGE, *(file.parent for file in files)}
    return sorted(files | {folder / "__init__.py" for folder in folders})


def _content(run: Run) -> list[bytes]:
    """What a version is made of."""
    code = [path.read_bytes() for path in _code(run.settings["class"])]
    served = (PACKAGE / "tracking/served.py").read_bytes()
    return [(run.folder / "best.safetensors").read_bytes(), served, *code]


def _versions(store: Store, name: str) -> dict[str, Tags]:
    """Version -> its tags, newest first."""
    found = store.client.search_model_versions(f"name = '{name}'", max_results=1000)
    return {str(v.version): dict(v.tags) for v in found}


def _holder(store: Store, name: str) -> str | None:
    """The version that has the alias."""
    aliases = store.client.get_registered_model(name).aliases
    return str(aliases[ALIAS]) if ALIAS in aliases else None


def _held_by_better(
    store: Store, name: str, versions: dict[str, Tags], about: dict[str, Any]
) -> bool:
    """Whether another study of the same data and protocol holds the alias with a better score."""
    held = versions.get(_holder(store, name) or "", {}) if versions else {}
    same = all(held.get(tag) == str(about[tag]) for tag in ("data_hash", "protocol"))
    foreign = held.get("study_id") != about["study_id"]
    return same and foreign and float(held["validation_ccc"]) >= float(about["validation_ccc"])


def _shows(tags: Tags, run: Run) -> bool:
    return tags["mlflow.runName"] == run.name and tags.get("current") == "True"
