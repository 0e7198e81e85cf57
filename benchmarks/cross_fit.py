"""Cross-fitting on the demo corpus: by how much does the CCC of each fusion change?

    make demo
    python benchmarks/cross_fit.py --out benchmarks/results/cross_fit.json

Runs the study of config/config.yaml with `cross_fit: 5`, except for finished jobs, and compares
each fusion with itself in the study of `make demo`. About 15 minutes on two cores.
"""

import argparse
import subprocess
from pathlib import Path

import numpy as np

from _paired import compared, scored
from avfusion.config.load import BASE, load
from avfusion.evaluation.scored import Scored
from avfusion.evaluation.significance import holm, p_text
from avfusion.metrics.sums import point
from machine import finish

CROSSED = Path("benchmarks/cross_fit.yaml")


def main() -> None:
    """Run the study, compare it with the demo study and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cores", default="2")
    args = parser.parse_args()
    command = ["snakemake", "--cores", args.cores, "--configfile", str(CROSSED)]
    command += ["--rerun-incomplete", "--quiet", "host", "reason", "--", "report_all"]
    subprocess.run(command, check=True)
    study, folds = load(BASE), load(CROSSED).cross_fit
    base, crossed = scored(study), scored(load(CROSSED))
    effects = {fusion: compared(crossed, base, fusion, study) for fusion in study.fusions}
    corrected = holm(np.array([effect.p for effect in effects.values()]))
    rows = []
    for (fusion, effect), p in zip(effects.items(), corrected, strict=True):
        change = f"{effect.value:+.3f} ({effect.low:+.3f} to {effect.high:+.3f})"
        found = f"{_mean(base, fusion):.3f}, change {change}, {p_text(p)}"
        rows.append({"measure": fusion, "found": found, "expected": ""})
        print(f"{fusion}: {found}")
    result = {
        "title": "Cross-fitting on the demo corpus",
        "what": "Test CCC, mean of the targets and trainings, with train features from one fit on "
        f"all train people, and its change with `cross_fit: {folds}`: the features of a train "
        f"video are then from a fit without its person. That is {folds} more fits of each encoder, "
        f"on {folds - 1} of {folds} parts of the people. Intervals are over people and trainings, "
        "95 %, not corrected; p is Holm's over all rows.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def _mean(scores: Scored, fusion: str) -> float:
    """Return the mean score of a fusion over its trainings."""
    runs = scores.sums[fusion]
    return float(point(scores.stack(fusion, sorted(runs)), scores.rule.pooling)[:, -1].mean())


if __name__ == "__main__":
    main()
