"""Provenance in the page: code, package versions, hashes of data and features, and commands."""

import hashlib
import json
import platform
import shlex
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from avfusion.config.study import Study
from avfusion.io.atomic import file_digest
from avfusion.io.version import __version__
from avfusion.layout import Layout
from avfusion.lineage import commands
from avfusion.provenance import code_state
from avfusion.report.inputs import CorpusFiles, read
from avfusion.report.tables.catalogue import TABLES

PACKAGES = (
    *("torch", "torchaudio", "numpy", "pandas", "scipy", "decord", "av", "opencv-python-headless"),
    *("snakemake", "dvc", "mlflow", "matplotlib"),
)


def origin(study: Study, layout: Layout) -> dict[str, Any]:
    """Return everything that is needed to make the page again, or to explain a difference."""
    parts = [CorpusFiles(name, study.scoped(name), layout) for name in study.corpora]
    return {
        "code": code(),
        "outside": [f"{use} = {source}" for use, source in study.outside().items()],
        "versions": {"Python": platform.python_version(), **_versions()},
        "hashes": [line for files in parts for line in _hashes(files)],
        "commands": _commands(parts, study, layout),
        "tables": tables(layout),
    }


def code() -> str:
    """Return version and commit of avfusion, and whether files differ from the commit."""
    state = code_state()
    if not state["commit"]:
        return f"avfusion {__version__}, not from a git checkout"
    changed = "with files changed since" if state["dirty"] else "unchanged"
    return f"avfusion {__version__}, git commit {state['commit'][:12]}, {changed}"


def tables(layout: Layout) -> list[dict[str, str]]:
    """Return title and files of every table of the registry that was written."""
    rows = []
    for spec in TABLES:
        files = [name for name in spec.files if (layout.tables / name).is_file()]
        if files:
            rows.append({"title": spec.title, "files": ", ".join(files)})
    return rows


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _hashes(files: CorpusFiles) -> list[tuple[str, str]]:
    """Return the data hash of the corpus, a hash of each encoder's features, and of all weights."""
    hashes = []
    if files.card():
        hashes.append((f"{files.corpus}: manifest and gold", files.card().get("data_hash", "")))
    for name in dict.fromkeys(files.study.all_features().encoders):
        index = read(files.layout.features(files.corpus, name) / "index.parquet")
        if "sha256" in index:
            hashes.append((f"{files.corpus}: features {name}", _digest(index)))
    for fusion, seed in files.runs():
        path = files.layout.run(files.corpus, fusion, seed) / "best.safetensors"
        if path.is_file():
            digest = file_digest(path).hex()
            hashes.append((f"{files.corpus}: weights {fusion} seed {seed}", digest))
    return hashes


def _digest(index: pd.DataFrame) -> str:
    rows = sorted(zip(index["video"], index["sha256"].fillna(""), strict=True))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _commands(parts: list[CorpusFiles], study: Study, layout: Layout) -> list[str]:
    """Return the commands behind the numbers of the corpora; Snakemake runs them in more shards."""
    place = commands.place(study, layout)
    elsewhere = f" --results {shlex.quote(place)}" if place != study.results else ""
    known = [files.corpus for files in parts if files.card()]
    steps = [step for name in known for step in commands.steps(name, study, place)]
    return [
        f"{step.words}{elsewhere}" if step.results else step.words
        for step in [*steps, commands.report(study)]
    ]
