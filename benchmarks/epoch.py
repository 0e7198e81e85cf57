"""Time a training epoch of each fusion over cached features of Aff-Wild2's size.

    python benchmarks/epoch.py --out benchmarks/results/epoch.json

564 videos of 4,965 frames (2.8 million in total), one feature row per frame and windows of 16 clips
of 32 frames. Each row is predicted once, as published (T-BIOM 2023, arXiv:2209.09068). A few of
these videos are random float16 rows in memory-mapped files. The time of an epoch is the mean time
of their steps times the number of batches. About 3 minutes. `--precision bfloat16` lowers the
products; the peak that a step is compared with is that of one product in the same precision.
"""

import argparse
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from _models import model
from _turns import say
from avfusion.features.windows import Windows, cut
from avfusion.io.memory import keep_freed
from avfusion.models.model import Model
from avfusion.training.loop import deterministic
from avfusion.training.losses import ccc_loss
from avfusion.training.precision import KINDS, Precision, products
from machine import finish

VIDEOS, FRAMES, CLIPS, CLIP_FRAMES, WIDTH, BATCH = 564, 4_965, 16, 32, 512, 64
PUBLISHED_S = 9_338
"""Median of the training epochs in the log that the T-BIOM code carries; on a GPU, with its frozen
backbones run again in every epoch, over its training partition."""
MOST_WAITING = "<= 10 %"
SIDE, PRODUCTS = 1_024, 10
"""Rows and columns of the product that measures the peak, and how often it is repeated."""
UNCOUNTED = ("rjca", "grjca", "dense_joint")
"""Fusions with LSTMs, whose products PyTorch does not count."""
HEAVY = ("jca", "rjca", "dca", "grjca", "dense_joint")
"""Fusions with long steps, for which loading data must take a small share."""
FUSIONS = ("audio", "video", "concat", "ca", "jca", "rjca", "dca", "iaca", "grjca", "dense_joint")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fusions", nargs="+", default=FUSIONS)
    parser.add_argument("--videos", type=int, default=12, help="videos made, of 564")
    parser.add_argument("--seconds", type=float, default=12, help="of measuring, a fusion")
    parser.add_argument("--precision", choices=get_args(Precision), default="float32")
    args = parser.parse_args()
    keep_freed()  # as `avf train` does
    with tempfile.TemporaryDirectory() as folder:
        windows = made(Path(folder), args.videos)
        per_video = len(windows) // args.videos
        batches = -(-VIDEOS * per_video // BATCH)
        given = windows, batches, args.seconds, args.precision
        work = [partial(rows_of, name, *given) for name in args.fusions]
        rows = [row for one in work for row in apart(one)]
    result = {
        "title": "Training epochs over cached features",
        "what": f"{VIDEOS} videos of {FRAMES:,} frames, {WIDTH} + {WIDTH} features per frame, "
        f"{per_video} windows of {CLIPS} clips per video ({VIDEOS * per_video:,} in total). "
        f"{batches:,} batches of {BATCH}, default options, AdamW, one thread as in `avf train`, "
        f"products in {args.precision}. "
        f"Extrapolated linearly from batches on random features of {args.videos} videos. The "
        f"published code takes {PUBLISHED_S:,} s per training epoch (median of its log, GPU), "
        "because it runs its frozen backbones in every epoch. The time of encoding once is not "
        "included. Peak is the greatest memory above that before the fusion was built. The share "
        "of the peak is that of all operations in products of a step, by its processor time "
        f"without loading; the peak is that of a product of {SIDE:,} rows and columns in the same "
        "run.",
        "rows": rows,
    }
    finish(result, args.out)


def made(folder: Path, videos: int) -> Windows:
    """Write random features and gold of some videos to memory-mapped files."""
    rng, count = np.random.default_rng(0), videos * FRAMES
    mapped = []
    for name in ("audio", "video"):
        path = folder / f"{name}.npy"
        file = np.lib.format.open_memmap(path, "w+", np.float16, (count, WIDTH))
        for start in range(0, count, FRAMES):
            file[start : start + FRAMES] = rng.standard_normal((FRAMES, WIDTH), np.float32)
        file.flush()
        mapped.append(torch.from_numpy(np.load(path, mmap_mode="r+")))
    gold = torch.from_numpy(rng.uniform(-1, 1, (count, 2)).astype(np.float32))
    rows, inside, used = (np.tile(part, (videos, 1)) for part in cut(FRAMES, CLIPS, CLIP_FRAMES))
    first = np.repeat(FRAMES * np.arange(videos), len(rows) // videos)
    indices = (torch.from_numpy(part) for part in (rows + first[:, None], inside, used))
    return Windows(*mapped, gold, *indices)


def apart(work: Callable[[], list[dict[str, str]]]) -> list[dict[str, str]]:
    """Return the result of `work` in a fork, so that memory of earlier work does not count."""
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    child = fork.Process(target=lambda: answers.put(work()))
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(f"measuring ended with exit code {child.exitcode}")
    return answers.get()


@dataclass
class Spent:
    """Seconds of a fusion's steps, by purpose."""

    data_s: float = 0.0
    fit_s: float = 0.0
    processor_s: float = 0.0
    batches: int = 0
    busy_s: float = 0.0
    operations: int = 0


def rows_of(
    name: str, windows: Windows, batches: int, seconds: float, precision: Precision
) -> list[dict[str, str]]:
    """Return rows of one fusion: seconds and memory of an epoch, shares of loading and the peak."""
    peak = Peak()
    with deterministic(0):
        fitted = model(name, WIDTH, CLIPS, dropout=0.3).train()
        spent = steps(fitted, windows, seconds, precision)
        most = fastest(precision)
    total_s = spent.data_s + spent.fit_s
    epoch_s, waits = total_s / spent.batches * batches, 100 * spent.data_s / total_s
    busy_s = spent.processor_s / spent.batches * batches
    epoch = {
        "measure": f"{name}: epoch",
        "found": f"{busy_s:.0f} s of processor time ({epoch_s:.0f} s wall on a shared "
        f"machine), peak {peak.mb():.0f} MB; {spent.batches} of {batches:,} batches "
        "measured",
        "expected": "",
    }
    fed = {
        "measure": f"{name}: share of loading batches",
        "found": f"{waits:.0f} %",
        "expected": MOST_WAITING if name in HEAVY else "",
    }
    reached = spent.operations * spent.batches / spent.busy_s
    near = {
        "measure": f"{name}: share of the peak of products",
        "found": f"{100 * reached / most:.0f} % ({reached / 1e9:.0f} of {most / 1e9:.0f} GFLOP/s)",
        "expected": "",
    }
    say(f"{name}: {epoch['found']}; data {fed['found']}; peak {near['found']}")
    return [epoch, fed] + [near] * (name not in UNCOUNTED)


def fastest(precision: Precision) -> float:
    """Return the operations per second of processor time of a large product."""
    a, b = torch.randn(2, SIDE, SIDE).to(KINDS.get(precision, torch.float32))
    out = a @ b
    took = []
    for _ in range(PRODUCTS):
        began = time.process_time()
        torch.mm(a, b, out=out)
        took.append(time.process_time() - began)
    return 2 * SIDE**3 / min(took)


def steps(model: Model, windows: Windows, seconds: float, precision: Precision) -> Spent:
    """Train for some seconds after a warm-up batch: at least 3 batches, at most one epoch.

    The operations are counted in the warm-up batch.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    spent, busy, ends = Spent(), 0.0, time.monotonic() + seconds
    for number, which in enumerate(order.split(BATCH)):
        began, used = time.perf_counter(), time.process_time()
        batch = windows.batch(which)
        got, loaded = time.perf_counter(), time.process_time()
        with nullcontext() if number else FlopCounterMode(display=False) as counter:
            with products(batch.gold.device, precision):
                prediction = model(*batch.inputs)[0]
            loss: Tensor = ccc_loss(prediction.float(), batch.gold)
            optimiser.zero_grad()
            loss.backward()
        spent.operations = spent.operations if number else counter.get_total_flops()
        optimiser.step()
        spent.busy_s += time.process_time() - loaded if number else 0.0
        done, busy = time.perf_counter(), time.process_time() - used
        if number:
            spent.data_s += got - began
            spent.fit_s += done - got
            spent.processor_s += busy
            spent.batches += 1
        if spent.batches >= 3 and time.monotonic() > ends:
            break
    return spent


class Peak:
    """Peak memory of this process from here on, above its current memory."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        self.held = self._status_mb("RssAnon")

    def mb(self) -> float:
        """Return the peak without the pages of mapped files that were read."""
        return self._status_mb("VmHWM") - self._status_mb("RssFile") - self.held

    @staticmethod
    def _status_mb(field: str) -> float:
        status = Path("/proc/self/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    main()
