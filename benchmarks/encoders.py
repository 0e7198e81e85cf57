"""Compare encoders on the demo corpus: by how much does the CCC of each fusion change?

    make extras
    python benchmarks/encoders.py --out benchmarks/results/encoders.json

Runs the studies in benchmarks/encoders, except for finished jobs. They differ in their encoders
only, so each fusion is compared with itself on the same videos, people and seeds. About 20 minutes
on two cores.
"""

import argparse
import subprocess
from itertools import product
from pathlib import Path

import numpy as np

from _paired import compared, scored
from avfusion.config.load import load
from avfusion.config.study import Study
from avfusion.evaluation.significance import holm, p_text
from avfusion.literature.findings import Effect
from machine import finish

STUDIES = Path("benchmarks/encoders")
PLAIN = "plain"
CHANGES = {
    "egemaps": "eGeMAPS instead of mel_cnn",
    "tuned": "face_tuned instead of face_cnn",
    "both": "both instead of mel_cnn and face_cnn",
}


def main() -> None:
    """Run the studies, compare them and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cores", default="2")
    args = parser.parse_args()
    studies = {name: ran(STUDIES / f"{name}.yaml", args.cores) for name in (PLAIN, *CHANGES)}
    base = scored(studies[PLAIN])
    changed = {name: scored(studies[name]) for name in CHANGES}
    pairs = list(product(CHANGES, studies[PLAIN].fusions))
    effects = [compared(changed[name], base, fusion, studies[PLAIN]) for name, fusion in pairs]
    corrected = holm(np.array([effect.p for effect in effects]))
    rows = [
        row(name, fusion, effect, p)
        for (name, fusion), effect, p in zip(pairs, effects, corrected, strict=True)
    ]
    for each in rows:
        print(f"{each['measure']}: {each['found']}")
    result = {
        "title": "Encoders on the demo corpus",
        "what": "Test CCC of the same fusions with other features, mean of the targets and seeds: "
        "mel_cnn and face_cnn are small networks that are fitted on the corpus; eGeMAPS are 88 "
        "functionals of openSMILE over 2.56 s; face_tuned is a pretrained expression network whose "
        "last blocks are tuned on the corpus. Intervals are over people and trainings, 95 %, not "
        "corrected; p is "
        f"Holm's over all {len(rows)} rows.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def ran(config: Path, cores: str) -> Study:
    """Run a study as far as it is not finished; return it."""
    command = ["snakemake", "--cores", cores, "--configfile", str(config), "--rerun-incomplete"]
    subprocess.run([*command, "--quiet", "host", "reason", "--", "report_all"], check=True)
    return load(config)


def row(name: str, fusion: str, effect: Effect, p: float) -> dict[str, str]:
    """Return one row of the result."""
    ends = f"{effect.low:+.3f} to {effect.high:+.3f}"
    return {
        "measure": f"{fusion}, {CHANGES[name]}",
        "found": f"{effect.value:+.3f} ({ends}), {p_text(p)}",
        "expected": "",
    }


if __name__ == "__main__":
    main()
