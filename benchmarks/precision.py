"""Compare training in bfloat16 and float32: is CCC inside the interval of float32?

    python benchmarks/precision.py --out benchmarks/results/precision.json

Runs the study benchmarks/precision.yaml, except for finished jobs, and reads its table. About 5
minutes on two cores after `make demo`, because it uses the same corpus.
"""

import argparse
import subprocess
from pathlib import Path

import pandas as pd

from machine import finish

CONFIG = Path("benchmarks/precision.yaml")
TABLES = Path("results/experiments/precision/tables")
COUNTERPART = "_bfloat16"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cores", default="2")
    args = parser.parse_args()
    command = ["snakemake", "--cores", args.cores, "--configfile", str(CONFIG)]
    subprocess.run([*command, "--quiet", "host", "reason", "--", "report_all"], check=True)
    table = pd.read_csv(TABLES / "scores.csv")
    table = table[table["target"] == "mean"].set_index("fusion")
    plain = [name for name in table.index if f"{name}{COUNTERPART}" in table.index]
    result = {
        "title": "Training in bfloat16",
        "what": "Mean test CCC over seeds on the demo corpus, for each fusion trained in float32 "
        "and with bfloat16 products. The interval is that of float32.",
        "rows": [row(name, table) for name in plain],
    }
    finish(result, args.out)


def row(name: str, table: pd.DataFrame) -> dict[str, str]:
    """Return whether the mean CCC of bfloat16 lies in the interval of float32."""
    ours, other = table.loc[name], table.loc[f"{name}{COUNTERPART}"]
    inside = ours["low"] <= other["mean"] <= ours["high"]
    return {
        "measure": f"{name}: CCC {other['mean']:.3f} in bfloat16; in float32 {ours['mean']:.3f} "
        f"({ours['low']:.3f} to {ours['high']:.3f})",
        "found": "inside" if inside else "outside",
        "expected": "inside",
    }


if __name__ == "__main__":
    main()
