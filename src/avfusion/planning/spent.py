"""Seconds of results that are still to be made, by the plan and by what others of them took."""

from collections import Counter

import pandas as pd

from avfusion.layout import Layout
from avfusion.planning.items import Item
from avfusion.planning.plan import Plan

LEAST, MOST = 0.1, 30.0
"""Bounds of the ratio of measured to planned time, which a job that was suspended would spoil."""
STEMS = {
    "fit": ["fit_encoder"],
    "grid": ["grid", "choose"],
    "robust": ["corrupt", "robust_part", "robust"],
    "report": ["tables", "figures", "page", "record"],
}
"""Stage -> begins of its benchmark files, where they are not its name."""


def planned_s(plan: Plan, listed: list[Item]) -> dict[str, float | None]:
    """Return result -> its seconds on one core; None if the plan does not know them."""
    keys = {item.name: _key(item.stage, item.what) for item in listed}
    parts = Counter(keys.values())
    total: dict[tuple[str, str], float | None] = {}
    for line in plan.lines:
        key = _key(line.stage, line.what)
        before = total.get(key, 0.0)
        total[key] = None if before is None or line.core_s is None else before + line.core_s
    return {name: _part(total.get(key, 0.0), parts[key]) for name, key in keys.items()}


def _key(stage: str, what: str) -> tuple[str, str]:
    """Return of what the seconds are added up; corrupted input is planned per corpus."""
    if stage == "robust":
        return stage, what.partition(" ")[0]
    return stage, "" if stage == "report" else what


def _part(all_s: float | None, parts: int) -> float | None:
    return None if all_s is None else all_s / parts


def speed(
    listed: list[Item], done: dict[str, bool], each_s: dict[str, float | None], layout: Layout
) -> float:
    """Return measured over planned seconds of the stages that are complete; 1 if none is."""
    measured, planned = 0.0, 0.0
    for stage in dict.fromkeys(item.stage for item in listed):
        mine = [item for item in listed if item.stage == stage]
        taken = [each_s[item.name] for item in mine]
        if not all(done[item.name] for item in mine) or None in taken:
            continue
        spent = _spent_s(stage, layout)
        if spent:
            measured, planned = measured + spent, planned + sum(s or 0.0 for s in taken)
    return min(max(measured / planned, LEAST), MOST) if measured and planned else 1.0


def _spent_s(stage: str, layout: Layout) -> float:
    """Return the wall seconds in Snakemake's benchmark files of a stage."""
    folder = layout.results / "benchmarks"
    paths = [p for stem in STEMS.get(stage, [stage]) for p in folder.glob(f"{stem}[-.]*bench.tsv")]
    return sum(float(pd.read_csv(path, sep="\t")["s"].sum()) for path in paths)
