"""CA and JCA against plain NumPy loops over their printed equations, and their parameter counts.

    python benchmarks/equations.py --out benchmarks/results/equations.json

The same derivations stand in tests/test_fusion_golden.py as pass or fail; here is by how much.
"""

import argparse
import json
import sys
from pathlib import Path

from machine import describe

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    from derivations import differences, parameter_counts

    rows = [
        {"measure": name, "found": f"{found:.1e}", "expected": f"<= {bound:.0e}"}
        for name, found, bound in differences()
    ]
    rows += [
        {"measure": f"parameters of {name}", "found": f"{found:,}", "expected": f"{published:,}"}
        for name, found, published in parameter_counts()
    ]
    result = {
        "title": "Equations and parameter counts",
        "what": "Largest absolute difference to a NumPy derivation in float64; parameters against "
        "the sizes that the published configurations imply.",
        "rows": rows,
        "machine": describe(),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
