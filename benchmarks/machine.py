"""Describe the machine and code of a benchmark, and check its bounds."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchaudio", "numpy", "av", "decord", "opencv-python-headless", "snakemake")


def describe() -> dict[str, Any]:
    """Return processor model, usable cores, Python, package versions, commit and day."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "commit": _git("rev-parse", "--short", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "day": datetime.now(UTC).date().isoformat(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def revision(checkout: Path) -> str:
    """Return the short hash of a checkout's commit."""
    return _git("-C", str(checkout), "rev-parse", "--short", "HEAD")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def finish(result: dict[str, Any], out: Path) -> None:
    """Write the result with a verdict on each bound; exit with 1 if one is missed."""
    missed = []
    for row in result["rows"]:
        row["met"] = met(str(row["found"]), str(row.get("expected", "")))
        if row["met"] == "no":
            missed.append(f"{row['measure']}: {row['found']}, expected {row['expected']}")
    result["machine"] = describe()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    if missed:
        sys.exit("Missed:\n" + "\n".join(missed))


def met(found: str, expected: str) -> str:
    """Return `yes` or `no` for a bound (`<= 480 s`) or an exact text, else nothing.

    >>> met("97.3 % of 100", ">= 95 %"), met("12", "0"), met("0.3", "")
    ('yes', 'no', '')
    """
    if not expected:
        return ""
    bound = re.match(r"(<=|>=|<|>)\s*([-+0-9.e]+)", expected)
    if not bound:
        return "yes" if found == expected else "no"
    value, limit = float(re.findall(r"[-+0-9.e]+", found)[0]), float(bound[2])
    holds = {"<=": value <= limit, ">=": value >= limit, "<": value < limit, ">": value > limit}
    return "yes" if holds[bound[1]] else "no"
