"""Measure the rates that `avf plan` multiplies: finished studies, and training steps.

    python benchmarks/rates.py --study DEMO/results --study OTHER/results/study

The times of stages come from Snakemake's benchmark files of finished studies of made corpora. The
first study decides where both have a stage. Steps of each fusion are measured here, in three
shapes, on one thread. Writes src/avfusion/planning/rates.json.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from _models import model
from _turns import say
from avfusion.config import modalities
from avfusion.io.atomic import write_text
from avfusion.registry import fusions
from avfusion.training.losses import ccc_loss
from epoch import Peak, apart
from _finished import stages
from machine import describe

OUT = Path(__file__).resolve().parents[1] / "src/avfusion/planning/rates.json"
BENCHMARKS = Path(__file__).resolve().parent / "results"
BATCH = 32
SHAPES = {"base": (64, 16), "wide": (512, 16), "long": (64, 64)}
"""Width of each modality and clips in a window."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, action="append", help="results of a finished study")
    parser.add_argument("--fusions", nargs="*", default=fusions.names(), help="default: all")
    parser.add_argument("--seconds", type=float, default=2, help="of measuring, a shape")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rates: dict[str, Any] = json.loads(args.out.read_text()) if args.out.is_file() else {}
    for folder in reversed(args.study or []):
        more = stages(folder, BENCHMARKS)
        rates |= more | {"fits": rates.get("fits", {}) | more["fits"]}
    rates |= {"batch": BATCH, "shapes": {name: list(sizes) for name, sizes in SHAPES.items()}}
    measured = rates.setdefault("fusions", {})
    for name in args.fusions:
        if not fusions.constant(name, "closed_form"):
            measured[name] = steps(name, args.seconds)
        rates |= {"fusions": dict(sorted(measured.items())), "machine": describe()}
        write_text(args.out, json.dumps(rates, indent=1) + "\n")


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
