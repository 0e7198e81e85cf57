"""What the SLURM profile asks of a cluster, against what `sinfo` says that the cluster has."""

import re
from collections.abc import Iterable

import yaml

Partitions = dict[str, bool]
"""Partition -> whether it has GPUs."""


def partitions(sinfo: str) -> Partitions:
    """Read `sinfo -h -o "%P %G"`, a line a partition and kind of node.

    >>> partitions("cpu* (null)\\nbig (null)\\nbig gpu:a100:4(S:0-1)\\n")
    {'cpu': False, 'big': True}
    """
    found: Partitions = {}
    for line in sinfo.splitlines():
        name, _, gres = line.strip().partition(" ")
        name = name.rstrip("*")
        found[name] = found.get(name, False) or bool(re.search(r"\bgpu:", gres))
    return found


def asked(profile: str) -> Partitions:
    """Every partition that the profile names, and whether a rule asks for a GPU in it."""
    rules = yaml.safe_load(profile) or {}
    default = rules.get("default-resources", {})
    found: Partitions = {}
    for part in [default, *rules.get("set-resources", {}).values()]:
        name = (part or {}).get("slurm_partition", default.get("slurm_partition"))
        if name is not None:
            found[name] = found.get(name, False) or bool((part or {}).get("gpu"))
    return found


def faults(asked: Partitions, there: Partitions) -> list[str]:
    """What the profile asks for and this cluster does not have; nothing where sinfo is silent."""
    if not there:
        return []
    said = []
    foreign = [name for name in asked if name not in there]
    if foreign:
        said.append(f"the profile asks for {listed(foreign)}; this cluster has {listed(there)}")
    bare = [name for name, gpu in asked.items() if gpu and not there.get(name, True)]
    if bare:
        with_gpu = listed(name for name, gpu in there.items() if gpu)
        hint = f"those with GPUs: {with_gpu}" if with_gpu else "no partition has: set `&gpu {}`"
        said.append(f"the profile asks for GPUs in {listed(bare)}, which has none; {hint}")
    return said


def listed(names: Iterable[str]) -> str:
    """Names in order, with commas."""
    return ", ".join(sorted(names))
