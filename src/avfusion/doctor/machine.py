"""Find what is missing on this machine, with the command that fixes it; imports nothing heavy."""

import hashlib
import importlib.metadata as metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from avfusion.config.arithmetic import can_be_portable
from avfusion.config.load import BASE, checked, overlay
from avfusion.config.study import Study
from avfusion.doctor import (
    corpora,
    digests,
    encoder_files,
    encoders,
    extras,
    features,
    media,
    published,
    slurm,
    speed,
    training,
    vectors,
)
from avfusion.doctor.finding import Finding
from avfusion.errors import AvfError
from avfusion.io.source import PACKAGE

LOCK = Path("envs/requirements.txt")
PROFILE = Path("slurm/config.v9+.yaml")
GIB = 1 << 30


def examine(config: Path, measure: bool = False) -> Iterator[Finding]:
    """Yield all findings, in the order in which to fix them.

    Parameters
    ----------
    config
        The file of the study.
    measure
        Whether each encoder runs for some seconds, to tell what encoding will take.
    """
    yield _python()
    yield from _packages()
    yield _command()
    yield from _weights()
    yield _reader()
    yield from _study(config, measure)
    yield from _machine()
    yield _gpu()
    yield from _slurm()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Finding("OK", "python", version)
    return Finding("MISSING", "python", version, "make env PYTHON=/path/to/python3.12")


def _packages() -> Iterator[Finding]:
    """Compare the installed packages with the lock; direct dependencies of avfusion must exist."""
    from packaging.requirements import Requirement

    stated = [Requirement(text) for text in metadata.requires("avfusion") or []]
    optional = {"extra": ""}  # `extras.findings` says which of them the study needs
    needed = {_plain(r.name) for r in stated if r.marker is None or r.marker.evaluate(optional)}
    installed = {_plain(dist.name): dist.version for dist in metadata.distributions()}
    locked = _locked() if LOCK.is_file() else {}
    absent = [name for name in needed if name not in installed and name in (locked or needed)]
    other = [
        f"{name} {installed.get(name, 'absent')} (locked: {version})"
        for name, version in locked.items()
        if installed.get(name) != version and name not in absent
    ]
    if absent:
        yield Finding("MISSING", "packages", ", ".join(sorted(absent)), "make env")
    if other:
        more = f" and {len(other) - 4} more" if len(other) > 4 else ""
        yield Finding("WARN", "packages", "; ".join(other[:4]) + more, "make env")
    if not LOCK.is_file():
        yield Finding("WARN", "packages", f"no {LOCK} here", "run avf from the project's folder")
    elif not absent and not other:
        yield Finding("OK", "packages", f"{len(locked)} as locked")


def _locked() -> dict[str, str]:
    """Return package -> version, of the entries of the lock that this machine needs."""
    from packaging.requirements import Requirement

    lines = [
        line.rstrip("\\ ")
        for line in LOCK.read_text(encoding="utf-8").splitlines()
        if line[:1].isalnum()
    ]
    wanted = [Requirement(line) for line in lines]
    return {
        _plain(entry.name): str(entry.specifier).removeprefix("==")
        for entry in wanted
        if entry.marker is None or entry.marker.evaluate()
    }


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _command() -> Finding:
    if shutil.which("avf"):
        return Finding("OK", "command", "avf is on the path")
    return Finding("WARN", "command", "avf is not on the path", ". .venv/bin/activate")


def _weights() -> Iterator[Finding]:
    """Compare the weights that ship with avfusion with the SHA-256 in their README."""
    for folder in sorted(PACKAGE.glob("*/weights")):
        stated = (folder / "README.md").read_text(encoding="utf-8")
        for path in sorted([*folder.glob("*.onnx"), *folder.glob("*.safetensors")]):
            if hashlib.sha256(path.read_bytes()).hexdigest() in stated:
                yield Finding("OK", "weights", f"{path.name} as shipped")
            else:
                place = os.path.relpath(path)
                text = f"{place} is not the file that shipped"
                yield Finding("MISSING", "weights", text, f"git checkout -- {place}")


def _reader() -> Finding:
    if importlib.util.find_spec("decord"):
        return Finding("OK", "video", "read by PyAV; small plain ones by decord, which agrees")
    return Finding("OK", "video", "read by PyAV; decord has no wheel for this machine")


def _study(config: Path, measure: bool) -> Iterator[Finding]:
    """Yield the faults of the config, and what the study needs if nothing else is wrong in it."""
    try:
        study, messages = checked(config)
    except AvfError as error:
        study, messages = None, [str(error).removeprefix(f"{config}: ")]
    for message in messages:
        yield Finding("MISSING", "config", f"{config}: {message}", f"edit {config}")
    if study is None or messages:
        return
    runs = len(study.corpora) * len(study.fusions) * len(study.seeds)
    base = f"; {config} changes keys of {BASE}" if overlay(config) else ""
    yield Finding("OK", "config", f"{len(study.fusions)} fusions, {runs} training runs{base}")
    for use, code in study.outside().items():
        yield Finding("OK", "outside", f"{use} = {code}, not part of avfusion")
    yield _arithmetic(study)
    yield from corpora.findings(study, config)
    hours = media.hours_here(study)
    yield from media.findings(study, hours)
    yield from extras.findings(study)
    yield from vectors.findings(study)
    yield from encoder_files.findings(study)
    yield from encoders.findings(study, hours)
    if measure:
        yield from speed.findings(study, hours)
    yield from features.findings(study)
    yield from published.findings(config, study)
    yield from training.findings(study)
    yield from digests.findings(study, config)
    results = Path(study.results)
    if os.access(media.existing(results), os.W_OK):
        yield Finding("OK", "results", f"{results} can be written")
    else:
        yield Finding("MISSING", "results", f"{results} cannot be written", "set results in config")


def _arithmetic(study: Study) -> Finding:
    """Say which arithmetic jobs have, and whether this processor can have it."""
    if study.arithmetic == "fast":
        return Finding("OK", "arithmetic", "fast: other processors give slightly other numbers")
    if can_be_portable():
        return Finding("OK", "arithmetic", "portable: AVX2 on one thread per job")
    text = "portable, but this processor has no AVX2"
    return Finding("MISSING", "arithmetic", text, "set arithmetic: fast in config")


def _machine() -> Iterator[Finding]:
    yield Finding("OK", "cores", str(len(os.sched_getaffinity(0))))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    remedy = "" if memory >= 4 else "snakemake --cores 1 all"
    yield Finding("WARN" if remedy else "OK", "memory", f"{memory:.0f} GiB", remedy)
    free = shutil.disk_usage(".").free / GIB
    needed = "free some space; the demo study takes under 1 GiB, real corpora more"
    remedy = "" if free >= 2 else needed
    yield Finding("WARN" if remedy else "OK", "disk", f"{free:.0f} GiB free", remedy)


def _gpu() -> Finding:
    listed = _output("nvidia-smi", "-L").splitlines()
    if listed:
        return Finding("OK", "gpu", "; ".join(line.split(" (")[0] for line in listed))
    return Finding("OK", "gpu", "none seen; everything runs on the CPU")


def _slurm() -> Iterator[Finding]:
    """Compare the SLURM profile with the cluster, if this is one."""
    if not shutil.which("sbatch"):
        yield Finding("OK", "slurm", "not here; only `snakemake --profile slurm` needs it")
        return
    available = slurm.partitions(_output("sinfo", "-h", "-o", "%P %G"))
    requested = slurm.requested(PROFILE.read_text(encoding="utf-8") if PROFILE.is_file() else "{}")
    edit = f"edit {PROFILE.resolve().relative_to(Path.cwd())}"
    wrong = [Finding("WARN", "slurm", what, edit) for what in slurm.faults(requested, available)]
    listed = slurm.listed(available) or "unknown"
    yield from wrong or [Finding("OK", "slurm", f"partitions {listed}")]


def _output(*words: str) -> str:
    """Return the output of a command; empty if it is absent, fails or takes over 2 s."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
