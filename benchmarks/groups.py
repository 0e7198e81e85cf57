"""Compare training jobs of one run, of some and of all: processor time, and equal files.

    python benchmarks/groups.py --out benchmarks/results/groups.json

Features have the size of those of the demo corpus. Every job is a process of its own, as Snakemake
starts it, so the start of Python and PyTorch counts. About 10 minutes on 2 cores.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from avfusion.config.jobs import RunSettings
from avfusion.layout import Layout
from machine import finish

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.synthetic_features import Plan, run_settings, write_inputs

FUSIONS, SEEDS, EPOCHS = ("audio", "video", "concat", "ca", "jca"), (0, 1, 2), 14
PLAN = Plan(
    videos={"train": 70, "validation": 30, "test": 60}, duration_s=8, widths={"ear": 64, "eye": 64}
)
FILES = ("best.safetensors", "epochs.csv", "traces.parquet")
"""Files of a run that must not depend on its neighbours."""

JOB = """
import json, sys
from pathlib import Path
from avfusion.config.jobs import RunSettings
from avfusion.layout import Layout
from avfusion.runs.several import train_runs
runs = [RunSettings.model_validate(run) for run in json.loads(Path(sys.argv[1]).read_text())]
train_runs(runs, Layout(Path(sys.argv[2])))
"""
"""What `avf train` does; it takes the seeds of one fusion, and this takes any runs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    names = list(itertools.product(FUSIONS, SEEDS))
    runs = [run_settings(PLAN, *name, epochs=EPOCHS, patience=EPOCHS) for name in names]
    sizes = {f"{size} in a job": size for size in (1, len(SEEDS), len(runs))}
    took: dict[str, list[float]] = {label: [] for label in sizes}
    with tempfile.TemporaryDirectory() as temporary:
        inputs = Layout(Path(temporary) / "inputs")
        write_inputs(inputs, PLAN)
        made: dict[str, list[bytes]] = {}
        for number in range(args.rounds):
            for label, size in sizes.items():
                layout = linked(inputs, Path(temporary) / f"{number}-{size}")
                jobs = [runs[at : at + size] for at in range(0, len(runs), size)]
                took[label].append(sum(spent(job, layout) for job in jobs))
                made[label] = contents(layout, names)
    alone = next(iter(sizes))
    rows = [
        {"measure": label, "found": f"{min(took[label]):.0f} s", "expected": ""} for label in sizes
    ]
    for label in list(sizes)[1:]:
        pairs = zip(took[alone], took[label], strict=True)
        ratios = sorted(one / several for one, several in pairs)
        rows += [
            {
                "measure": f"{alone} / {label}",
                "found": f"{ratios[-1]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                "expected": "> 1",
            },
            {
                "measure": f"files of {label} that differ from those of {alone}",
                "found": str(sum(a != b for a, b in zip(made[alone], made[label], strict=True))),
                "expected": "0",
            },
        ]
    result = {
        "title": "Training jobs of one run and of several",
        "what": f"Processor seconds of {len(runs)} runs: {', '.join(FUSIONS)} with {len(SEEDS)} "
        f"seeds, {EPOCHS} epochs, {sum(PLAN.videos.values())} videos of {PLAN.duration_s:g} s. "
        f"Each job is a process. Least of {args.rounds} rounds; forms take turns.",
        "rows": rows,
    }
    finish(result, args.out)


def linked(inputs: Layout, folder: Path) -> Layout:
    """Return a results folder without runs that has links to the same inputs."""
    folder.mkdir()
    for path in inputs.results.iterdir():
        (folder / path.name).symlink_to(path)
    return Layout(folder)


def spent(job: list[RunSettings], layout: Layout) -> float:
    """Train the runs of a job in a process of its own; return its processor seconds."""
    path = layout.results / "job.json"
    path.write_text(json.dumps([run.model_dump(mode="json") for run in job]))
    place = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", JOB, str(path), str(layout.results)]
    subprocess.run(command, check=True, env=place, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def contents(layout: Layout, names: list[tuple[str, int]]) -> list[bytes]:
    """Return the files of all runs."""
    folders = (layout.run(PLAN.corpus, *name) for name in names)
    return [(folder / file).read_bytes() for folder in folders for file in FILES]


if __name__ == "__main__":
    main()
