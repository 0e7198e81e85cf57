"""Compare the hours of `avf plan` with the processor time of finished studies.

    python benchmarks/plan.py --study "the demo" results config/config.yaml \
        --study "a study of seconds" TINY/results tests/slurm/study.yaml \
        --out benchmarks/results/plan.json

A study is given by its name, its results and its config. The plan is that of a fresh study of
generated corpora. The processor time is that in Snakemake's benchmark files, up to the last sample
and then at the same load. It lacks processes that end between two samples: those that make corpora.
"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

import pandas as pd

from _finished import read
from _turns import say
from avfusion.config.load import load
from avfusion.layout import Layout
from avfusion.planning.plan import Plan
from avfusion.planning.spent import STEMS
from machine import finish

STAGE = {
    **{stem: stage for stage, stems in STEMS.items() for stem in stems},
    **{"make_corpus": "corpus", "media_index": "media", "feature_index": "encode"},
}
"""Begin of a benchmark file -> stage of the plan, where it is not its name."""
OFTEN_S, OFTEN, SELDOM_S = 0.5, 31, 30.0
"""Snakemake samples a job's processes every 0.5 s, and every 30 s after 31 samples."""
FACTOR = 2
"""Bound of the ratio of plan and processor time."""


def main() -> None:
    """Compare the studies and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("NAME", "RESULTS", "CONFIG")
    parser.add_argument("--study", nargs=3, action="append", required=True, metavar=names)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = [
        row for name, folder, config in args.study for row in compared(name, folder, Path(config))
    ]
    for row in rows:
        say(" | ".join(row.values()))
    result = {
        "title": "Hours of the plan",
        "what": "Processor seconds of the jobs of finished studies, those that `avf plan` gives "
        "them before they run, and the greater divided by the smaller. A sum leaves out the making "
        "of the corpus, whose processes are too short for Snakemake's samples. Processor time of "
        "a shared machine is up to 1.5 times as long as that of one that is free.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def compared(name: str, folder: str, config: Path) -> list[dict[str, str]]:
    """Return a row per stage of a study, and one of all stages."""
    planned, measured = planned_s(config), measured_s(Path(folder))
    rows = [
        row(f"{name}: {stage}", measured[stage], planned[stage])
        for stage in planned
        if stage in measured
    ]
    if absent := planned.keys() - measured.keys() - {"corpus"}:
        raise SystemExit(f"{folder}: no benchmark files of {', '.join(sorted(absent))}.")
    both = [sum(taken[stage] for stage in measured) for taken in (measured, planned)]
    return [*rows, row(f"{name}: all", *both) | {"expected": f"<= {FACTOR}"}]


def row(measure: str, measured: float, planned: float) -> dict[str, str]:
    """Return the row of a comparison."""
    return {
        "measure": measure,
        "found": f"{max(measured / planned, planned / measured):.2f}",
        "expected": "",
        "processor s": f"{measured:.1f}",
        "planned s": f"{planned:.1f}",
    }


def planned_s(config: Path) -> dict[str, float]:
    """Return stage -> seconds that are planned where nothing was made before."""
    study = load(config)
    with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
        plan = Plan.of(study, Layout(Path(study.results)))
    seconds: dict[str, float] = {}
    for line in plan.lines:
        if line.core_s is None:
            raise SystemExit(f"{config}: the plan does not know the hours of {line.what}.")
        seconds[line.stage] = seconds.get(line.stage, 0.0) + line.core_s
    return seconds


def measured_s(folder: Path) -> dict[str, float]:
    """Return stage -> processor seconds of its jobs, without the stage that makes corpora."""
    jobs = read(folder)
    jobs["stage"] = jobs["name"].str.split(r"[-.]").str[0].replace(STAGE)
    jobs["processor_s"] = [
        processor_s(s, spent_s)
        for s, spent_s in zip(jobs["s"], pd.to_numeric(jobs["cpu_time"]), strict=True)
    ]
    known = jobs[jobs["stage"].isin({"verify", "media", "encode", "train", "score", *STEMS})]
    return known.groupby("stage")["processor_s"].sum().to_dict()


def processor_s(wall_s: float, sampled_s: float) -> float:
    """Return the processor seconds of a job, whose last sample may be long before its end.

    >>> processor_s(45.0, 15.0), processor_s(10.2, 10.0)
    (43.54838709677419, 10.2)
    """
    often_s = OFTEN_S * OFTEN
    last_s = min(wall_s // OFTEN_S * OFTEN_S, often_s)
    last_s += max(wall_s - often_s, 0.0) // SELDOM_S * SELDOM_S
    unsampled = pd.isna(sampled_s) or last_s == 0
    return wall_s if unsampled else float(sampled_s) * wall_s / last_s


if __name__ == "__main__":
    sys.exit(main())
