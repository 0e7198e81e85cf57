"""Memory of the job that this process is part of, by SLURM and by Linux' control groups."""

import math
from collections.abc import Mapping
from os import environ
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
_MB = 1 << 20
_UNLIMITED = 1 << 50
"""Bytes of a limit that is none: version 1 of the groups states the largest number."""


def job_mb(
    variables: Mapping[str, str] = environ, groups: Path = GROUPS, membership: Path = MEMBERSHIP
) -> float:
    """Return the least limit of memory in MB; infinite if there is none.

    Parameters
    ----------
    variables
        The environment. SLURM states the memory of a job in `SLURM_MEM_PER_NODE`, or that of each
        core in `SLURM_MEM_PER_CPU`; 0 is all that the node has.
    groups
        Where the control groups are mounted.
    membership
        File that lists the groups of the process.
    """
    node = _number(variables.get("SLURM_MEM_PER_NODE"))
    cores = _number(variables.get("SLURM_CPUS_ON_NODE")) or 1.0
    limits = [node, cores * _number(variables.get("SLURM_MEM_PER_CPU"))]
    limits += [_number(path) / _MB for path in _limit_files(groups, membership)]
    return min((mb for mb in limits if 0 < mb < _UNLIMITED / _MB), default=math.inf)


def _limit_files(groups: Path, membership: Path) -> list[str]:
    """Return the limits of the process' groups and of those around them, as they are written."""
    texts = []
    for line in _text(membership).splitlines():
        _, _, rest = line.partition(":")
        kinds, _, place = rest.partition(":")
        if kinds and "memory" not in kinds.split(","):
            continue
        root, name = (
            (groups / "memory", "memory.limit_in_bytes") if kinds else (groups, "memory.max")
        )
        inner = Path(place.lstrip("/"))
        # In a container, the path may be that outside of it: then only the root is there.
        texts += [_text(root / folder / name) for folder in (inner, *inner.parents)]
    return texts


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def _number(text: str | None) -> float:
    """Return a number; 0 if it is none, such as `max`."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
