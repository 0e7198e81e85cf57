"""Register the best run of a corpus as a model that MLflow serves, without pickle.

The best run has the highest validation score under the headline protocol; test scores are not used.
A version holds weights (safetensors), settings, a card, and the source of the modules that the
model needs, those of avfusion and of an outside fusion. It loads where neither is installed.
"""

import ast
import importlib.metadata
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from avfusion.evaluation.run_scores import Run
from avfusion.fingerprint import imported
from avfusion.io.source import PACKAGE, TOP, location, module_file, parsed
from avfusion.io.stamped import content_key
from avfusion.registry import fusions
from avfusion.tracking.store import Store, Tags, texts

ALIAS = "best"
NEEDS = ("mlflow", "numpy", "pandas", "pyarrow", "pydantic", "safetensors", "torch")
"""Packages that the copied modules of avfusion import."""

SERVE = "avfusion.runs.serve"
FOLDER = "model"
DESCRIPTION = 5000  # characters; MLflow's limit


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
    versions = _versions(store, name)
    same = [v for v, tags in versions.items() if tags.get("key") == key]
    if not same and _held_by_better(store, name, versions, about):
        return None
    version = same[0] if same else _add(store, name, run, about, card(run))
    if _holder(store, name) != version:
        store.client.set_registered_model_alias(name, ALIAS, version)
    return f"models:/{name}/{version}"


def validation_score(run: Run, protocol: str) -> float | None:
    """Return the mean CCC on the validation partition; None without a score, or on classes."""
    table = run.scores
    if "ccc" not in table:
        return None
    rows = table[(table["partition"] == "validation") & (table["protocol"] == protocol)]
    values = rows.loc[rows["target"] == "mean", "ccc"].dropna()
    return float(values.iloc[0]) if len(values) else None


def _add(store: Store, name: str, run: Run, about: dict[str, Any], card: str) -> str:
    """Upload the model of a run and register it; the key of the version is written last."""
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
    from mlflow.types import ColSpec, Schema, TensorSpec

    from avfusion.runs.serve import Served

    served = Served.open(run / "best.safetensors")
    features = [column for columns in served.columns().values() for column in columns]
    inputs: list[ColSpec | TensorSpec] = [ColSpec("string", "video"), ColSpec("double", "time_s")]
    inputs += [ColSpec("double", column) for column in features]
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # asks for an example of the input, which is personal data
        copied = copy_code(served.settings.class_, Path(temporary))
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(PACKAGE / "tracking/served.py"),
            artifacts={
                "weights": str(run / "best.safetensors"),
                "settings": str(run / "settings.json"),
            },
            code_paths=[str(path) for path in copied],
            signature=ModelSignature(
                Schema(inputs), Schema([ColSpec("double", name) for name in served.targets])
            ),
            pip_requirements=requirements(served.settings.class_),
        )
    _without_folder(folder / "MLmodel")


def _without_folder(path: Path) -> None:
    """Remove the folder of the code on this machine from MLmodel; MLflow needs only its name."""
    text = path.read_text()
    path.write_text(text.replace(f"{PACKAGE}/", ""))


def copy_code(kind: str, folder: Path) -> list[Path]:
    """Copy the modules that serve a fusion, so that `folder` can be put on the Python path.

    Parameters
    ----------
    kind
        Registry name of the fusion, or `package.module:Class`.
    folder
        Where the packages are copied to.

    Returns
    -------
    list of Path
        avfusion, and for a fusion from outside its modules and the metadata with its entry point.
    """
    for name, source in _code(kind).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    entry = fusions.entry(kind)
    if entry.outside:
        top, version = entry.module.partition(".")[0], "0"
        info = folder / f"{top}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {top}\nVersion: {version}\n")
        if ":" not in kind:  # the registry finds the name by its entry point
            point = f"[{fusions.group}]\n{kind} = {entry.path}\n"
            (info / "entry_points.txt").write_text(point)
    return sorted(folder.iterdir())


def _code(kind: str) -> dict[str, Path]:
    """Return path on the Python path -> file, of the modules behind `serve` and one fusion."""
    entry = fusions.entry(kind)
    outside = _outside(entry.module) if entry.outside else {}
    modules = imported(SERVE, entry.module, *map(_module, outside))
    files = {PACKAGE / "__init__.py"}
    for module in modules:
        if module.partition(".")[0] == TOP and (path := module_file(module)):
            files |= {path, path.parent / "__init__.py"}
    return {path.relative_to(PACKAGE.parent).as_posix(): path for path in sorted(files)} | outside


def _outside(module: str) -> dict[str, Path]:
    """Return path -> file of the modules outside avfusion that a module of one needs.

    They are the modules of its package, and those next to it that it imports, with their packages.
    """
    files: dict[str, Path] = {}
    tops, done = {module.partition(".")[0]}, {TOP}
    while tops - done:
        for top in sorted(tops - done):
            place = location(top)
            assert place is not None, top
            paths = [place] if place.is_file() else sorted(place.rglob("*.py"))
            files |= {path.relative_to(place.parent).as_posix(): path for path in paths}
        done |= tops
        tops = {name.partition(".")[0] for name in imported(module, *map(_module, files))}
    return files


def _module(path: str) -> str:
    """Return the module of a path on the Python path; `__init__.py` is that of its folder."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def requirements(kind: str) -> list[str]:
    """Return the packages that the model needs, with those of a fusion from outside.

    They are the requirements of the distribution of its modules. For modules of no distribution,
    they are the packages that the modules import.
    """
    needed = [f"{name}=={importlib.metadata.version(name)}" for name in NEEDS]
    entry = fusions.entry(kind)
    if not entry.outside:
        return needed
    outside = _outside(entry.module)
    tops = {_module(path).partition(".")[0] for path in outside}
    owners = importlib.metadata.packages_distributions()
    stated: set[str] = set()
    for name in {name for top in tops for name in owners.get(top, [])}:
        stated.update(importlib.metadata.requires(name) or [])
    loose = [file for path, file in outside.items() if _module(path).split(".")[0] not in owners]
    used = {name for top in _imports(loose) - tops for name in owners.get(top, [])}
    stated |= {f"{name}=={importlib.metadata.version(name)}" for name in used}
    ours = {*NEEDS, TOP}
    return needed + sorted(r for r in stated if "extra ==" not in r and _package(r) not in ours)


def _imports(files: Iterable[Path]) -> set[str]:
    """Return the top-level packages that files import."""
    nodes = [node for file in files for node in ast.walk(parsed(file))]
    names = [a.name for node in nodes if isinstance(node, ast.Import) for a in node.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level]
    return {name.partition(".")[0] for name in names}


def _package(requirement: str) -> str:
    """Return the name of the package of a requirement such as `scipy>=1.10`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match[0].lower() if match else ""


def _content(run: Run) -> list[bytes]:
    """Return what a version is made of."""
    code = [path.read_bytes() for path in _code(run.settings.class_).values()]
    served = (PACKAGE / "tracking/served.py").read_bytes()
    return [(run.folder / "best.safetensors").read_bytes(), served, *code]


def _versions(store: Store, name: str) -> dict[str, Tags]:
    """Return version -> tags, newest first."""
    models = store.client.search_model_versions(f"name = '{name}'", max_results=1000)
    return {str(v.version): dict(v.tags) for v in models}


def _holder(store: Store, name: str) -> str | None:
    """Return the version that has the alias."""
    aliases = store.client.get_registered_model(name).aliases
    return str(aliases[ALIAS]) if ALIAS in aliases else None


def _held_by_better(
    store: Store, name: str, versions: dict[str, Tags], about: dict[str, Any]
) -> bool:
    """Return whether another study of the same data holds the alias with a better score."""
    held = versions.get(_holder(store, name) or "", {}) if versions else {}
    same = all(held.get(tag) == str(about[tag]) for tag in ("data_hash", "protocol"))
    foreign = held.get("study_id") != about["study_id"]
    return same and foreign and float(held["validation_ccc"]) >= float(about["validation_ccc"])


def _shows(tags: Tags, run: Run) -> bool:
    return tags["mlflow.runName"] == run.name and tags.get("current") == "True"
