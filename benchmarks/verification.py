"""Errors of the finished verification study of made people, next to the single modalities.

snakemake --cores 2 --configfile config/experiments/verification_demo.yaml -- all
python benchmarks/verification.py --out benchmarks/results/verification.json
"""

import argparse
from pathlib import Path

import pandas as pd

from machine import finish

ROOT = Path(__file__).resolve().parents[1]
SHOWN = {"list": "test", "condition": "clean", "norm": "cosine", "measure": "eer"}
"""Equal error rate of the test trials with both modalities."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=ROOT / "results/verification_demo")
    args = parser.parse_args()
    errors = shown(args.results / "tables/verification.csv").sort_values("mean")
    pairs = shown(args.results / "tables/verification_pairs.csv")
    below = [name for name, rows in pairs.groupby("fusion") if is_below(rows)]
    most = errors.iloc[0]
    rows = [
        *(row(f"EER of {r.fusion}", interval(r.mean, r)) for r in errors.itertuples()),
        *(row(f"EER of {r.fusion} minus that of {r.other}",
              f"{interval(r.difference, r)}, corrected p {r.p_holm:.2g}")
          for r in pairs.itertuples()),
        row("fusions whose EER is below that of both single modalities (95 % interval, corrected "
            "p <= 0.05)", f"{len(below)}: {', '.join(below)}", ">= 1"),
    ]  # fmt: skip
    what = (
        f"config/experiments/verification_demo.yaml: {most.trials:,.0f} test trials of "
        f"{most.people:.0f} people who are not trained on, {most.seeds:.0f} seeds, cosine, with "
        "95% intervals over people and seeds."
    )
    finish({"title": "Verification of made people", "what": what, "rows": rows}, args.out)


def shown(path: Path) -> pd.DataFrame:
    """Return the rows of a table that are shown."""
    table = pd.read_csv(path)
    return table[(table[list(SHOWN)] == pd.Series(SHOWN)).all(axis=1)]


def is_below(rows: pd.DataFrame) -> bool:
    """Return whether a fusion is significantly below every single modality."""
    return bool((rows["significant"].astype(bool) & (rows["high"] < 0)).all())


def interval(value: float, of: object) -> str:
    """Return a value with the ends of its interval."""
    return f"{value:.3f} [{of.low:.3f}, {of.high:.3f}]"


def row(measure: str, found: str, expected: str = "") -> dict[str, str]:
    """Return one row of the result."""
    return {"measure": measure, "found": found, "expected": expected}


if __name__ == "__main__":
    main()
