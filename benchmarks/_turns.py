"""Time alternatives in turn, so that a busy machine slows all of them equally."""

import statistics
import sys
import time
from collections.abc import Callable

import torch

Took = list[tuple[float, float]]
"""Wall and processor seconds of each round."""


def alternate(turns: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, Took]:
    """Run every alternative once per round; the first of rounds + 1 is a warm-up."""
    took: dict[str, Took] = {turn: [] for turn in turns}
    for number in range(rounds + 1):
        for turn, work in turns.items():
            found = timed(work, device)
            if number:
                took[turn].append(found)
    return took


def timed(work: Callable[[], object], device: str) -> tuple[float, float]:
    """Return wall and processor seconds of one call, including its work on the device."""
    began = time.perf_counter(), time.process_time()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began[0], time.process_time() - began[1]


def median_ms(took: Took) -> float:
    """Return the median wall time."""
    return 1e3 * statistics.median(wall for wall, _ in took)


def ratio(measure: str, slow: Took, fast: Took, expected: str = "") -> dict[str, str]:
    """Return a row with the speed-up per round, by wall time and by processor time."""
    pairs = list(zip(slow, fast, strict=True))
    wall, busy = ([s[which] / f[which] for s, f in pairs] for which in (0, 1))
    return {
        "measure": measure,
        "found": f"{statistics.median(wall):.1f} ({min(wall):.1f} to {max(wall):.1f}; by processor "
        f"time {statistics.median(busy):.1f}; {median_ms(slow):.0f} and {median_ms(fast):.0f} ms)",
        "expected": expected,
    }


def say(text: str) -> None:
    """Print progress to stderr."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
