"""Time training steps on a GPU: precisions, and features on the device against copied batches.

    python benchmarks/gpu.py --out benchmarks/results/gpu.json

The features have the size of those in benchmarks/epoch.py. Each fusion takes its steps with
`avf train`'s own windows, loss and updates. Without a GPU the result says "not run"; `--cpu`
measures on the CPU, where features are copied nowhere. About 3 minutes.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from _models import model
from _turns import alternate, ratio, say
from avfusion.features.windows import Windows
from avfusion.training import device
from avfusion.training.loop import deterministic
from avfusion.training.losses import ccc_loss
from avfusion.training.precision import Precision, products
from avfusion.training.rule import FitRule
from avfusion.training.updates import Updates
from epoch import BATCH, CLIPS, FRAMES, VIDEOS, WIDTH, made
from machine import finish

FUSIONS = ("concat", "jca", "rjca", "dense_joint")
PRECISIONS: tuple[Precision, ...] = tuple(x for x in get_args(Precision) if x != "float16")
PLACES = ("on the device", "copied per batch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fusions", nargs="+", default=FUSIONS)
    parser.add_argument("--videos", type=int, default=12, help="videos made, of 564")
    parser.add_argument("--steps", type=int, default=20, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="measure without a GPU")
    args = parser.parse_args()
    rows = [{"measure": "on a GPU", "found": "not run, none present", "expected": ""}]
    if device.gpu() is not None or args.cpu:
        with tempfile.TemporaryDirectory() as folder, deterministic(0):
            windows = made(Path(folder), args.videos)
            per_video = len(windows) // args.videos
            work = partial(rows_of, windows=windows, epoch=-(-VIDEOS * per_video // BATCH))
            each = [work(name, steps=args.steps, rounds=args.rounds) for name in args.fusions]
        rows = list(itertools.chain.from_iterable(each))
    result = {
        "title": "Training on a GPU",
        "what": f"{device.gpu() or 'CPU'}. Random features of {VIDEOS} videos of {FRAMES:,} "
        f"frames, {WIDTH} + {WIDTH} per frame, in batches of {BATCH} windows of {CLIPS} clips. "
        f"Median of {args.rounds} rounds of {args.steps} steps, times the batches of an epoch; "
        "alternatives take turns. Ratios are medians over rounds, with the least and greatest.",
        "rows": rows,
    }
    finish(result, args.out)


def rows_of(
    name: str, windows: Windows, epoch: int, steps: int, rounds: int
) -> list[dict[str, str]]:
    """Return seconds of an epoch of one fusion for each precision and place, and their ratios."""
    where = device.chosen()
    places = dict(zip(PLACES, (windows.on(where), windows), strict=True))
    turns = {
        (precision, place): Fit(name, precision, some, steps)
        for precision, (place, some) in itertools.product(PRECISIONS, places.items())
    }
    named = {", ".join(turn): fit.round for turn, fit in turns.items()}
    took = alternate(named, rounds, where.type)
    rows = []
    for turn, measured in took.items():
        step_s = statistics.median(wall for wall, _ in measured) / steps
        found = f"{step_s * epoch:.1f} s an epoch, {1e3 * step_s:.2f} ms a step"
        rows.append({"measure": f"{name}: {turn}", "found": found, "expected": ""})
        say(f"{name}: {turn}: {found}")
    (plain, low), (near, far) = PRECISIONS, PLACES
    slow, fast = took[f"{plain}, {near}"], took[f"{low}, {near}"]
    rows.append(ratio(f"{name}: {plain} / {low}", slow, fast))
    rows.append(ratio(f"{name}: {far} / {near}", took[f"{plain}, {far}"], slow))
    return rows


class Fit:
    """A fit that goes on round by round."""

    def __init__(self, name: str, precision: Precision, windows: Windows, steps: int) -> None:
        self.model = model(name, WIDTH, CLIPS, dropout=0.3).to(device.chosen()).train()
        self.windows, self.precision, self.steps = windows, precision, steps
        rule = FitRule(epochs=1, patience=1, lr=1e-4, weight_decay=1e-4, precision=precision)
        self.updates = Updates(self.model, rule)
        self.order = self._batches()

    def round(self) -> None:
        """Take the steps of a round, and read their losses once."""
        where = device.chosen()
        losses = []
        for which in itertools.islice(self.order, self.steps):
            batch = device.moved(self.windows.batch(which), where)
            with products(where, self.precision):
                prediction, _ = self.model(*batch.inputs)
            loss = ccc_loss(prediction.float(), batch.gold)
            self.updates.update(loss)
            losses.append(loss.detach())
        if not torch.stack(losses).isfinite().all():
            sys.exit("a loss is not finite")

    def _batches(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(0)
        while True:
            yield from torch.randperm(len(self.windows), generator=generator).split(BATCH)


if __name__ == "__main__":
    main()
