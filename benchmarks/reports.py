"""Time the table of all pairs of fusions, and the start of the command line.

    python benchmarks/reports.py --out benchmarks/results/reports.json

Processor seconds, alternating with a named alternative in the same run: for pairs, the plain
formula of tests/support/plain_statistics.py, in which each pair and target draws for itself; for
`avf --help`, a Python that does nothing.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation import crossed, exchanged
from avfusion.evaluation.estimates import decided
from avfusion.evaluation.families import pairs
from avfusion.evaluation.samples import Samples
from machine import finish

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.plain_statistics import swap_p
from support.scored_sums import scored_sums
from support.simulated_corpora import Plan, simulate

FUSIONS, PEOPLE, ROUNDS = 10, 60, 3
SOURCE = str(Path(__file__).resolve().parents[1] / "src")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    samples = scores()
    alone, together = by_plain(samples), by_table(samples)
    gap = max(abs(alone[key] - together[key]) for key in alone)
    plain_s, shared_s = alternate(lambda: by_plain(samples), lambda: by_table(samples))
    help_s, pass_s = alternate(
        lambda: run("-m", "avfusion.cli", "--help"), lambda: run("-c", "pass"), rounds=7
    )
    count = len(alone) // 3
    rows = [
        row(f"{count} pairs, 3 targets: plain / shared", f"{plain_s / shared_s:.1f}", "> 1"),
        row(f"{count} pairs, 3 targets: shared", f"{shared_s:.2f} s"),
        row("largest difference of p", f"{gap:.0e}", "<= 1e-12"),
        row("`avf --help` / `python -c pass`", f"{help_s / pass_s:.1f}"),
        row("`avf --help`", f"{help_s:.2f} s", "<= 0.2 s"),
    ]
    what = (
        f"All pairs of {FUSIONS} fusions with 9 trainings on {PEOPLE} people, and the start of the "
        "command line. Median processor seconds; the two sides of a ratio take turns."
    )
    finish({"title": "Tables of pairs and start of the command line", "what": what,
            "rows": rows}, args.out)  # fmt: skip


def scores() -> Samples:
    """Return samples of simulated fusions."""
    plan = Plan(PEOPLE, 1, 0.02, tuple(np.linspace(0.55, 0.65, FUSIONS)))
    drawn = simulate(plan, np.random.default_rng(0), targets=2)
    sums = {f"f{i}": one.reshape(9, *one.shape[2:]) for i, one in enumerate(drawn)}
    samples = Samples(scored_sums(sums), StatisticsSettings())
    for name in sums:
        samples.of(name, samples.grid([name]))
    return samples


def by_table(samples: Samples) -> dict[tuple[str, str, str], float]:
    """Return p of each pair and target from the table of pairs."""
    table = decided(samples, pairs(list(samples.scored.sums)))
    return {(r.fusion, r.other, r.target): r.p for r in table.itertuples()}


def by_plain(samples: Samples) -> dict[tuple[str, str, str], float]:
    """Return the same p; each target estimates the pair and draws its exchanges."""
    p = {}
    for names in combinations(samples.scored.sums, 2):
        pair = samples.pair(*names)
        assert pair is not None
        for k, target in enumerate(samples.scored.targets):
            estimate = crossed.difference(*pair, 0.05, 0)
            p[*names, target] = swap_p(*pair, estimate, k, exchanged.LEAST, 0)
    return p


def alternate(
    slow: Callable[[], object], fast: Callable[[], object], rounds: int = ROUNDS
) -> tuple[float, float]:
    """Return the median processor seconds of both, with those of their child processes."""
    took = [(spent(slow), spent(fast)) for _ in range(rounds)]
    return statistics.median(a for a, _ in took), statistics.median(b for _, b in took)


def spent(work: Callable[[], object]) -> float:
    """Return the processor seconds of one call and of the processes that it waits for."""
    begun = os.times()
    work()
    return sum(os.times()[:4]) - sum(begun[:4])


def run(*words: str) -> None:
    """Run Python with avfusion from this checkout."""
    env = {**os.environ, "PYTHONPATH": SOURCE}
    subprocess.run([sys.executable, *words], env=env, stdout=subprocess.DEVNULL, check=True)


def row(measure: str, found: str, expected: str = "") -> dict[str, str]:
    """Return one row of the result."""
    return {"measure": measure, "found": found, "expected": expected}


if __name__ == "__main__":
    main()
