"""Measure the cost of logging runs to MLflow, during and after training.

    python benchmarks/recording.py --out benchmarks/results/recording.json    # after `make demo`

Reports processor seconds (user and system), because other work on the machine affects them less
than wall time. Training runs in alternating pairs: with a tracking server that is down, and
without a server.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import finish

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("manifest", "features", "media", "runs", "scores", "tables", "figures")
RUN = ("demo", "concat", 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="of the demo study")
    parser.add_argument(
        "--config", type=Path, default=ROOT / "config/config.yaml", help="its study"
    )
    parser.add_argument("--pairs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "results"
        for name in NEEDED:
            skip = shutil.ignore_patterns("faces.zip", "sound.npy")
            shutil.copytree(args.results / name, copy / name, ignore=skip)
        start_s = min(child_s(["-c", "from mlflow import MlflowClient"]) for _ in range(3))
        each_s, runs, whole_s = recording(copy)
        again_s = child_s(["-m", "avfusion.cli", "record", RUN[0], "--results", str(copy)])
        study = str(args.config.resolve())
        trained = [pair(copy, study, first=bool(turn % 2)) for turn in range(args.pairs)]
    train_s = statistics.median(without for _, without in trained)
    ratio = statistics.median(named / without for named, without in trained)
    rows = [
        row("training with a server / without, median of pairs", f"{ratio:.3f}", "<= 1.02"),
        row("MLflow modules that training imports", str(imported()), "0"),
        row("recording a run, share of its training", f"{100 * each_s / train_s:.2f} %", "<= 2"),
        row("training a run", f"{train_s:.1f} s"),
        row("recording a run", f"{each_s:.3f} s"),
        row(f"recording a study of {runs} runs, its model and figures", f"{whole_s:.1f} s"),
        row("starting MLflow, once per recording, included above", f"{start_s:.1f} s"),
        row("recording it again without changes", f"{again_s:.1f} s"),
    ]
    what = (
        f"Processor seconds on the demo study, {args.pairs} pairs of `avf train demo concat`. "
        "One job per corpus records runs after training."
    )
    finish({"title": "Logging runs to MLflow", "what": what, "rows": rows}, args.out)


def recording(results: Path) -> tuple[float, int, float]:
    """Return seconds per recorded run (median), number of runs, and seconds of a first record."""
    from avfusion.layout import Layout
    from avfusion.tracking import record
    from avfusion.tracking import study as record_study

    spent, plain = [], record_study._record

    def timed(*given: object) -> bool:
        start = time.process_time()
        try:
            return plain(*given)
        finally:
            spent.append(time.process_time() - start)

    record_study._record = timed
    start = time.process_time()
    record.record_corpus(RUN[0], None, Layout(results))
    whole_s = time.process_time() - start
    record_study._record = plain
    said = json.loads((results / f"mlflow.{RUN[0]}.json").read_text())
    if not said["recorded"] or said["new"] != len(spent):
        sys.exit(f"not recorded: {said}")
    return statistics.median(spent), len(spent), whole_s


def pair(results: Path, study: str, first: bool) -> tuple[float, float]:
    """Return seconds of training with a server that is down, and without a server."""
    corpus, fusion, seed = RUN
    folder = results / "runs" / corpus / fusion / f"seed{seed}"
    words = ["-m", "avfusion.cli", "train", corpus, fusion, "--seed", str(seed), "--config", study]
    found = {}
    for named in (first, not first):
        address = "http://127.0.0.1:9" if named else None
        (folder / "state.pt").unlink(missing_ok=True)  # else it continues from its last epoch
        found[named] = child_s([*words, "--results", str(results)], address)
    return found[True], found[False]


def imported() -> int:
    """Return the number of MLflow modules that the training command imports."""
    code = (
        "import sys, avfusion.runs.train, avfusion.commands.train; "
        "print(sum(m.split('.')[0] == 'mlflow' for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


def child_s(words: list[str], address: str | None = None) -> float:
    """Return user and system seconds of a Python command."""
    env = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    env |= {"MLFLOW_TRACKING_URI": address} if address else {}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], env=env, cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(measure: str, found: str, expected: str = "") -> dict[str, str]:
    """Return one row of the result."""
    return {"measure": measure, "found": found, "expected": expected}


if __name__ == "__main__":
    main()
