"""Another machine: run the demo study under other arithmetic, and compare its scores.

    python benchmarks/other_machine.py --out benchmarks/results/other_machine.json

Runs the study of config/config.yaml under `portable`, `fast`, and `fast` with the instruction sets
of a processor without AVX-512, except for finished jobs. Only arithmetic differs, so each fusion is
compared with itself. About 30 minutes on two cores.
"""

import argparse
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from _paired import compared, scored
from avfusion.config.load import BASE, load
from avfusion.config.study import Study
from avfusion.evaluation import estimates
from avfusion.evaluation.scored import Scored
from avfusion.metrics.sums import MEAN
from machine import finish

PLACE = Path("results/other_machine")
NARROW = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}
KINDS: Mapping[str, tuple[str, dict[str, str]]] = {
    "portable": ("portable", {}),
    "fast": ("fast", {}),
    "fast without AVX-512": ("fast", NARROW),
}


def main() -> None:
    """Run the studies, compare them and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cores", default="2")
    args = parser.parse_args()
    studies = {kind: ran(kind, args.cores) for kind in KINDS}
    scores = {kind: scored(study) for kind, study in studies.items()}
    base = studies["portable"]
    rows = []
    for kind in KINDS:
        table = estimates.estimates(scores[kind], studies[kind])
        means = table[(table["target"] == MEAN) & table["fusion"].isin(base.fusions)]
        listed = ", ".join(f"{r.fusion} {r.mean:.3f}" for r in means.itertuples())
        rows.append({"measure": f"scores, {kind}", "found": listed, "expected": ""})
    for kind in list(KINDS)[1:]:
        for fusion in base.fusions:
            rows.append(row(kind, fusion, scores, base))
    for each in rows:
        print(f"{each['measure']}: {each['found']}")
    result = {
        "title": "Another machine",
        "what": "Test CCC of the demo study under other arithmetic on one machine, which stands "
        "for other processors: encoders are fitted and fusions trained again. The change of each "
        "fusion must lie within its own interval over people and trainings.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def ran(kind: str, cores: str) -> Study:
    """Run the demo study under one arithmetic as far as it is not finished; return it."""
    arithmetic, variables = KINDS[kind]
    place = PLACE / kind.replace(" ", "_")
    raw = yaml.safe_load(BASE.read_text()) | {"arithmetic": arithmetic, "results": str(place)}
    place.mkdir(parents=True, exist_ok=True)
    config = place / "study.yaml"
    config.write_text(yaml.safe_dump(raw, sort_keys=False))
    command = ["snakemake", "--cores", cores, "--configfile", str(config), "--rerun-incomplete"]
    subprocess.run(
        [*command, "--quiet", "host", "reason", "--", "report_all"],
        env=os.environ | variables,
        check=True,
    )
    return load(config)


def row(kind: str, fusion: str, scores: Mapping[str, Scored], base: Study) -> dict[str, str]:
    """Return the change of one fusion, and whether it lies within the fusion's interval."""
    effect = compared(scores[kind], scores["portable"], fusion, base)
    table = estimates.estimates(scores["portable"], base)
    own = table[(table["target"] == MEAN) & (table["fusion"] == fusion)].iloc[0]
    inside = own["low"] <= own["mean"] + effect.value <= own["high"]
    return {
        "measure": f"{fusion}, {kind}: {own['mean']:.3f} {effect.value:+.3f}, interval "
        f"{own['low']:.3f} to {own['high']:.3f}",
        "found": "inside" if inside else "outside",
        "expected": "inside",
    }


if __name__ == "__main__":
    main()
