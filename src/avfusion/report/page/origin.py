"""Provenance in the page: code, package versions, hashes of data and features, and commands."""

import hashlib
import json
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from avfusion import __version__
from avfusion.config.study import Study
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest
from avfusion.layout import Layout
from avfusion.provenance import code_state
from avfusion.registry import corpora, encoders
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
        "commands": [line for files in parts for line in _commands(files)],
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
    for name in dict.fromkeys(files.study.features.encoders):
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


def _commands(files: CorpusFiles) -> list[str]:
    """Return the commands behind one corpus' numbers; Snakemake runs them in more shards."""
    name, runs = files.corpus, files.runs()
    if not files.card():
        return []
    made = [f"avf make-corpus {name}"] if _known(corpora.defines, files.kind, "make") else []
    lines = [*made, f"avf verify {name}", f"avf media {name}"]
    lines.append(f"avf index results/media/{name} --shards 1")
    for encoder in dict.fromkeys(files.study.features.encoders):
        if _known(encoders.constant, files.study.encoder_class(encoder), "fitted"):
            lines.append(f"avf fit-encoder {name} {encoder}")
        lines.append(f"avf encode {name} {encoder}")
        lines.append(f"avf index results/features/{name}/{encoder} --shards 1")
    lines += [f"avf train {name} {fusion} --seed {seed}" for fusion, seed in runs]
    return [*lines, f"avf score {name}"]


def _known(ask: Callable[[str, str], Any], name: str, what: str) -> Any:
    """Return what a registry knows about an entry, None for an unknown entry."""
    try:
        return ask(name, what)
    except AvfError:
        return None
