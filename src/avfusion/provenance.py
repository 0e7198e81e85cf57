"""Provenance of a result: the git commit of this package, and the machine."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent


def code_state() -> dict[str, Any]:
    """Return `commit`, and `dirty`: whether the package's files differ from it.

    Both are None if the package is not part of a git checkout, such as after an installation from
    a wheel. Only the package counts, not the config: a run records its settings, and
    `dvc exp run -S` edits the config while it runs. The current directory does not matter.
    """
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"commit": None, "dirty": None}
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".")
    added = _git("ls-files", "--others", "--exclude-standard")
    dirty = None if changed is None or added is None else bool(changed or added)
    return {"commit": _git("rev-parse", "HEAD"), "dirty": dirty}


def machine_state(gpu: str | None = None) -> dict[str, Any]:
    """Return `host_state`, and what else the digits of PyTorch depend on.

    Parameters
    ----------
    gpu
        Name of the GPU in use, if any.

    Returns
    -------
    dict
        Machines with equal processor, isa, system, torch, threads and gpu give equal digits.
    """
    import torch

    return {
        **host_state(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "threads": 1,  # training uses one
        "gpu": gpu,
    }


def host_state() -> dict[str, Any]:
    """Return processor, system, `host` (hashed) and `slurm_job` (None outside SLURM)."""
    return {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "host": hidden_name(platform.node()),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def hidden_name(name: str) -> str | None:
    """Return a hash that tells machines apart without naming them; None without a name.

    >>> hidden_name("node17.lab.example.org")
    'machine-1e88ec03'
    """
    return f"machine-{hashlib.sha256(name.encode()).hexdigest()[:8]}" if name else None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text(encoding="utf-8").splitlines() if info.is_file() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*words: str) -> str | None:
    """Return the output of git in the package's folder; None if git fails or is absent."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(PACKAGE), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, env=env
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
