"""Where the page's numbers come from: commit, versions, hashes of data and features, commands."""

import hashlib
import json
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from avfusion import __version__
from avfusion.config.tasks import scoped
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.provenance import code_state
from avfusion.registry import corpora, encoders
from avfusion.report.inputs import CorpusFiles, read

PACKAGES = (
    *("torch", "torchaudio", "numpy", "pandas", "scipy", "decord", "av", "opencv-python-headless"),
    *("snakemake", "dvc", "mlflow", "matplotlib"),
)


def origin(study: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """Everything a reader needs to make the page again, or to see why theirs differs."""
    parts = [CorpusFiles(name, scoped(study, name), layout) for name in study["corpora"]]
    return {
        "code": code(),
        "versions": {"Python": platform.python_version(), **_versions()},
        "hashes": [line for files in parts for line in _hashes(files)],
        "commands": [line for files in parts for line in _commands(files)],
    }


def code() -> str:
    """Version and commit of avfusion, and whether files differ from the commit."""
    state = code_state()
    if not state["commit"]:
        return f"avfusion {__version__}, not from a git checkout"
    changed = "with files changed since" if state["dirty"] else "unchanged"
    return f"avfusion {__version__}, git commit {state['commit'][:12]}, {changed}"


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _hashes(files: CorpusFiles) -> list[tuple[str, str]]:
    """Data hash of the corpus, one hash over each encoder's features and over all weights."""
    found = []
    if files.card():
        found.append((f"{files.corpus}: manifest and gold", files.card().get("data_hash", "")))
    for name in dict.fromkeys(n for own in files.study["features"].values() for n in own):
        index = read(files.layout.features(files.corpus, name) / "index.parquet")
        if "sha256" in index:
            found.append((f"{files.corpus}: features {name}", _digest(index)))
    for fusion, seed in files.runs():
        path = files.layout.run(files.corpus, fusion, seed) / "best.safetensors"
        if path.is_file():
            whole = hashlib.sha256(path.read_bytes()).hexdigest()
            found.append((f"{files.corpus}: weights {fusion} seed {seed}", whole))
    return found


def _digest(index: Any) -> str:
    rows = sorted(zip(index["video"], index["sha256"].fillna(""), strict=True))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _commands(files: CorpusFiles) -> list[str]:
    """The commands behind one corpus' numbers; Snakemake runs the same ones, in more shards."""
    name, runs = files.corpus, files.runs()
    if not files.card():
        return []
    made = [f"avf make-corpus {name}"] if _known(corpora.defines, files.kind, "make") else []
    lines = [*made, f"avf verify {name}", f"avf media {name}"]
    lines.append(f"avf index results/media/{name} --shards 1")
    for encoder in dict.fromkeys(n for own in files.study["features"].values() for n in own):
        if _known(encoders.constant, encoder, "fitted"):
            lines.append(f"avf fit-encoder {name} {encoder}")
        lines.append(f"avf encode {name} {encoder}")
        lines.append(f"avf index results/features/{name}/{encoder} --shards 1")
    lines += [f"avf train {name} {fusion} --seed {seed}" for fusion, seed in runs]
    return [*lines, f"avf score {name}"]


def _known(ask: Callable[[str, str], Any], name: str, what: str) -> Any:
    """What a registry says of an entry, None for an entry that it does not have."""
    try:
        return ask(name, what)
    except AvfError:
        return None
