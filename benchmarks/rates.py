"""Measure the rates that `avf plan` multiplies: finished studies, and training steps.

    python benchmarks/rates.py --study DEMO/results --study OTHER/results/study

The times of stages come from Snakemake's benchmark files of finished studies of made corpora. The
first study decides where both have a stage. Steps of each fusion are measured here, in three
shapes, on one thread. `free` is what the machine at its load of today takes in the form of
benchmarks/results/epoch.json, measured when it was free; `portable` is what steps take under
`arithmetic: portable`. Writes src/avfusion/planning/rates.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

import torch

from _finished import results, stages
from _models import model
from _turns import say
from avfusion.config import arithmetic, modalities
from avfusion.io.atomic import write_text
from avfusion.registry import fusions
from avfusion.training.losses import ccc_loss
from epoch import VIDEOS, Peak, apart
from machine import describe

OUT = Path(__file__).resolve().parents[1] / "src/avfusion/planning/rates.json"
BENCHMARKS = Path(__file__).resolve().parent / "results"
BATCH = 32
EPOCH_WINDOWS = 320
"""Windows of a video in benchmarks/epoch.py."""
SHAPES = {"base": (64, 16), "wide": (512, 16), "long": (64, 64)}
"""Width of each modality and clips in a window."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, action="append", help="results of a finished study")
    parser.add_argument("--fusions", nargs="*", default=fusions.names(), help="default: all")
    parser.add_argument("--seconds", type=float, default=2, help="of measuring, a shape")
    parser.add_argument("--step-of", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.step_of:
        sys.stdout.write(f"{one(args.step_of, *SHAPES['base'], args.seconds)[0]}\n")
        return
    rates: dict[str, Any] = json.loads(args.out.read_text()) if args.out.is_file() else {}
    for folder in reversed(args.study or []):
        more = stages(folder, BENCHMARKS)
        rates |= more | {"fits": rates.get("fits", {}) | more["fits"]}
    rates |= {"batch": BATCH, "shapes": {name: list(sizes) for name, sizes in SHAPES.items()}}
    if not rates.get("portable"):
        rates["portable"] = round(portable(args.seconds), 2)
    measured = rates.setdefault("fusions", {})
    for name in args.fusions:
        if not fusions.constant(name, "closed_form"):
            measured[name] = steps(name, args.seconds)
        rates |= {"fusions": dict(sorted(measured.items())), "machine": describe()}
        rates["free"] = round(free(measured), 3)
        write_text(args.out, json.dumps(rates, indent=1) + "\n")


def free(measured: dict[str, dict[str, float]]) -> float:
    """Return the median ratio of the seconds in epoch.json to those of the same steps today."""
    ratios = []
    for row in results(BENCHMARKS, "epoch"):
        name, _, what = row["measure"].partition(": ")
        if what == "epoch" and name in measured:
            windows = VIDEOS * EPOCH_WINDOWS
            ratios.append(float(row["found"].split()[0]) / windows / measured[name]["wide_s"])
    return statistics.median(ratios)


def portable(seconds: float) -> float:
    """Return the time of a step under `arithmetic: portable` over that under `fast`."""
    taken = {}
    for kind in get_args(arithmetic.Arithmetic):
        words = [sys.executable, __file__, "--step-of", "jca", "--seconds", str(seconds)]
        env = os.environ | arithmetic.variables(kind)
        done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
        taken[kind] = float(done.stdout)
    return taken["portable"] / taken["fast"]


def steps(name: str, seconds: float) -> dict[str, float]:
    """Return seconds per window of each shape, and memory of a step of the widest."""
    times = {
        shape: apart(lambda sizes=sizes: one(name, *sizes, seconds))
        for shape, sizes in SHAPES.items()
    }
    found = {f"{shape}_s": round(window_s, 8) for shape, (window_s, _) in times.items()}
    found["wide_mb"] = round(times["wide"][1], 1)
    say(f"{name}: {found}")
    return found


def one(name: str, width: int, clips: int, seconds: float) -> tuple[float, float]:
    """Return the least processor seconds per window of training steps, and their peak in MB."""
    torch.manual_seed(0)
    peak = Peak()
    read = modalities.read(name, {})
    dims = 3 if "text" in read else 2
    fitted = model(name, width, clips, 0.3, dims=dims).train()
    optimiser = torch.optim.AdamW(fitted.parameters(), lr=1e-4)
    given = [torch.randn(BATCH, clips, width) for _ in range(dims)]
    here = torch.ones(BATCH, clips, dtype=torch.bool)
    inputs = (*given[:2], here, here, *((given[2], here) if dims == 3 else ()))
    gold = torch.rand(BATCH, clips, 2) * 2 - 1
    taken: list[float] = []
    ends = time.monotonic() + seconds
    while len(taken) < 3 or time.monotonic() < ends:
        began = time.process_time()
        optimiser.zero_grad()
        ccc_loss(fitted(*inputs)[0].float(), gold).backward()
        optimiser.step()
        taken.append(time.process_time() - began)
    return min(taken[1:]) / BATCH, peak.mb()


if __name__ == "__main__":
    sys.exit(main())
