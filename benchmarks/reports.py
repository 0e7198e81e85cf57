"""Time the report and the scoring of many fusions, and the start of the command line.

    python benchmarks/reports.py --out benchmarks/results/reports.json

Processor seconds, alternating with a named alternative in the same run: for pairs, the plain
formula of tests/support/plain_statistics.py, in which each pair and target draws for itself; for
scores, its formula in which each run prepares the gold; for `avf --help`, a Python that does
nothing. Tables, figures and page are those of a synthetic study with corrupted input.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.config.sections import StatisticsSettings
from avfusion.evaluation import crossed, exchanged
from avfusion.evaluation.estimates import decided
from avfusion.evaluation.families import pairs
from avfusion.evaluation.samples import Samples
from avfusion.evaluation.score import score_corpus
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.protocols import protocol
from avfusion.rating import Rating
from avfusion.robustness.sums import CaseSums
from machine import finish

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support import large_study, plain_statistics
from support.plain_statistics import swap_p
from support.scored_sums import scored_sums
from support.simulated_corpora import Plan, simulate
from support.synthetic_results import Plan as Results

FUSIONS, PEOPLE, ROUNDS = 10, 60, 3
SOURCE = str(Path(__file__).resolve().parents[1] / "src")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fusions", type=int, default=35, help="of the synthetic study, 3 seeds")
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
        *study(args.fusions),
        row("`avf --help` / `python -c pass`", f"{help_s / pass_s:.1f}"),
        row("`avf --help`", f"{help_s:.2f} s", "<= 0.2 s"),
    ]
    what = (
        f"All pairs of {FUSIONS} fusions with 9 trainings on {PEOPLE} people, and the start of the "
        "command line. Median processor seconds; the two sides of a ratio take turns. Scores and "
        f"report are of {args.fusions} fusions with 3 trainings, 160 videos, 3 protocols and 22 "
        "levels of corrupted input; each is measured once."
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


def study(fusions: int) -> list[dict[str, str]]:
    """Return the times of scores, tables, figures and page of a synthetic study."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        made = large_study.write(layout, fusions)
        (corpus,) = made.corpora
        runs = [(fusion, seed) for fusion in made.fusions for seed in made.seeds]

        def robust() -> None:
            sums = CaseSums(corpus, "test", made.headline, layout)
            table = pd.concat([sums.of(run) for run in runs], ignore_index=True)
            write_table(table, layout.robustness(corpus) / "sums.parquet")

        score_s = spent(lambda: score_corpus(corpus, made.score_settings(corpus), layout))
        plain_s = spent(lambda: plain_scores(layout, corpus, runs[0], made.protocols))
        took = {"scores": score_s, "sums of corrupted input": spent(robust)}
        settings = Path(folder) / "settings.json"
        settings.write_text(made.model_dump_json())
        given = ("--results", folder, "--settings", str(settings))
        began = time.monotonic()
        for part in ("tables", "figures", "page"):
            words = ("-m", "avfusion.cli", "report", "--only", part, *given)
            took[part] = spent(lambda words=words: run(*words))
        waited_s = time.monotonic() - began
    name, cores = f"{len(runs)} runs", len(os.sched_getaffinity(0))
    together = sum(took[part] for part in ("tables", "figures", "page"))
    return [
        *(row(f"{name}: {part}", f"{s:.1f} s") for part, s in took.items()),
        row(f"{name}: tables, figures and page", f"{together:.1f} s"),
        row(f"{name}: the same, time until done on {cores} cores", f"{waited_s:.1f} s", "<= 25 s"),
        row(f"{name}: scores, plain / shared", f"{plain_s * len(runs) / score_s:.1f}", "> 1"),
    ]


def plain_scores(
    layout: Layout, corpus: str, run: tuple[str, int], protocols: list[str]
) -> dict[str, object]:
    """Return the sums of one run by the plain formula."""
    gold = pd.read_parquet(layout.gold(corpus)).sort_values(["video", "time_s"])
    by_video = {str(video): rows for video, rows in gold.groupby("video")}
    traces = pd.read_parquet(layout.run(corpus, *run) / "traces.parquet")
    given = by_video, Results().delay_s, Rating()
    return {name: plain_statistics.sums(protocol.load(name), traces, *given) for name in protocols}


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
