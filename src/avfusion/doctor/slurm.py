"""Compare the SLURM profile with the partitions that `sinfo` lists."""

import re
from collections.abc import Iterable

import yaml

Partitions = dict[str, bool]
"""Partition -> whether it has GPUs."""


def partitions(sinfo: str) -> Partitions:
    """Read `sinfo -h -o "%P %G"`, which has one line per partition and kind of node.

    >>> partitions("cpu* (null)\\nbig (null)\\nbig gpu:a100:4(S:0-1)\\n")
    {'cpu': False, 'big': True}
    """
    result: Partitions = {}
    for line in sinfo.splitlines():
        name, _, gres = line.strip().partition(" ")
        name = name.rstrip("*")
        result[name] = result.get(name, False) or bool(re.search(r"\bgpu:", gres))
    return result


def requested(profile: str) -> Partitions:
    """Return the partitions that a profile (YAML text) names, and whether rules use GPUs there."""
    rules = yaml.safe_load(profile) or {}
    default = rules.get("default-resources", {})
    result: Partitions = {}
    for part in [default, *rules.get("set-resources", {}).values()]:
        name = (part or {}).get("slurm_partition", default.get("slurm_partition"))
        if name is not None:
            result[name] = result.get(name, False) or bool((part or {}).get("gpu"))
    return result


def faults(requested: Partitions, available: Partitions) -> list[str]:
    """Return a message per request that this cluster cannot meet; none if sinfo lists nothing."""
    if not available:
        return []
    messages = []
    foreign = [name for name in requested if name not in available]
    if foreign:
        messages.append(
            f"the profile asks for {listed(foreign)}; this cluster has {listed(available)}"
        )
    bare = [name for name, gpu in requested.items() if gpu and not available.get(name, True)]
    if bare:
        with_gpu = listed(name for name, gpu in available.items() if gpu)
        none = "no partition has: set `&gpu {slurm_partition: NAME}`"
        hint = f"those with GPUs: {with_gpu}" if with_gpu else none
        messages.append(f"the profile asks for GPUs in {listed(bare)}, which has none; {hint}")
    return messages


def listed(names: Iterable[str]) -> str:
    """Return names in alphabetical order with commas."""
    return ", ".join(sorted(names))
