"""What made a result: the git commit of the checkout that holds this package, and the machine."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent


def code_state() -> dict[str, Any]:
    """`commit`, and `dirty`: whether the package's files differ from it.

    Settings are no code: a run states its own, and `dvc exp run -S` edits the config while it runs.
    Both None where the package is not in a checkout of its own: installed from a wheel, say into
    an environment inside somebody else's checkout. The current directory plays no part.
    """
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"commit": None, "dirty": None}
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".")
    added = _git("ls-files", "--others", "--exclude-standard")
    dirty = None if changed is None or added is None else bool(changed or added)
    return {"commit": _git("rev-parse", "HEAD"), "dirty": dirty}


def machine_state(gpu: str | None = None) -> dict[str, Any]:
    """`host`, `slurm_job` (None outside SLURM), `gpu` (the device's name if one was used), kind.

    The kind (processor, isa, system, torch, threads, gpu) is what equal digits are owed on.
    """
    return {
        **_kind(),
        "host": platform.node() or None,
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "gpu": gpu,
    }


def _kind() -> dict[str, Any]:
    """Processor, the instructions that torch uses on it, system, torch; training has 1 thread."""
    import torch

    return {
        "processor": _processor(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "threads": 1,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*words: str) -> str | None:
    """What git says of the package's folder, None where it fails or is absent."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(PACKAGE), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, env=env
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
