"""Versions of a registered model in MLflow: what they are made of, their tags, and their alias."""

import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from avfusion.io.source import PACKAGE
from avfusion.tracking.code import ServedCode
from avfusion.tracking.moved import gone
from avfusion.tracking.store import Store, Tags, texts

ALIAS = "best"
FOLDER = "model"
DESCRIPTION = 5000  # characters; MLflow's limit


def write_model(
    folder: Path,
    served: str,
    artifacts: Mapping[str, Path],
    code: ServedCode,
    signature: Any,
    **more: Any,
) -> None:
    """Write a model that `mlflow.pyfunc.load_model` opens, without pickle.

    Parameters
    ----------
    folder
        Where it is written.
    served
        File of this package that MLflow runs, such as "tracking/served.py".
    artifacts
        Name -> file or folder that it opens.
    code
        The modules that it imports.
    signature
        Columns of its inputs and outputs.
    more
        Further arguments of `mlflow.pyfunc.save_model`.
    """
    import mlflow

    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # asks for an example of the input, which is personal data
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(PACKAGE / served),
            artifacts={name: str(path) for name, path in artifacts.items()},
            code_paths=[str(path) for path in code.copy(Path(temporary))],
            signature=signature,
            pip_requirements=code.requirements(),
            **more,
        )
    _without_folders(folder / "MLmodel", [PACKAGE, *(path.parent for path in artifacts.values())])


def _without_folders(path: Path, folders: list[Path]) -> None:
    """Remove folders of this machine from MLmodel; MLflow needs only names."""
    text = path.read_text(encoding="utf-8")
    for folder in folders:
        text = text.replace(f"{folder}/", "")
    path.write_text(text, encoding="utf-8")


def content(code: ServedCode, served: str) -> list[bytes]:
    """Return the code that a version is made of."""
    return [(PACKAGE / served).read_bytes(), *(path.read_bytes() for path in code.files.values())]


def listed(store: Store, name: str) -> dict[str, Tags]:
    """Return version -> tags, newest first, without versions whose files are gone."""
    models = store.client.search_model_versions(f"name = '{name}'", max_results=1000)
    return {str(v.version): dict(v.tags) for v in models if not gone(v.source)}


def holder(store: Store, name: str) -> str | None:
    """Return the version that has the alias."""
    aliases = store.client.get_registered_model(name).aliases
    return str(aliases[ALIAS]) if ALIAS in aliases else None


def point(store: Store, name: str, version: str) -> None:
    """Give a version the alias."""
    if holder(store, name) != version:
        store.client.set_registered_model_alias(name, ALIAS, version)


def add(
    store: Store,
    name: str,
    ident: str,
    save: Callable[[Path], None],
    about: Mapping[str, Any],
    card: str,
) -> str:
    """Upload a model into a record and register it; the key of the version is written last.

    Parameters
    ----------
    store
        The records of the study.
    name
        Name of the registered model.
    ident
        ID of the record.
    save
        Writes the model into a folder.
    about
        Tags of the version, with its `key`.
    card
        Its description in Markdown.

    Returns
    -------
    str
        The number of the version.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / FOLDER
        save(folder)
        store.client.log_artifacts(ident, str(folder), FOLDER)
    source = f"{store.client.get_run(ident).info.artifact_uri}/{FOLDER}"
    if not store.client.search_registered_models(f"name = '{name}'"):
        store.client.create_registered_model(name)
    made = store.client.create_model_version(name, source, ident, description=card[:DESCRIPTION])
    tags = texts(about)
    for tag in sorted(tags, key=lambda tag: tag == "key"):
        store.client.set_model_version_tag(name, made.version, tag, tags[tag])
    return str(made.version)
