"""Another machine: run the demo study under other arithmetic and on another corpus.

    make demo
    python benchmarks/other_machine.py --out benchmarks/results/other_machine.json

The study of config/config.yaml is the first. It is run again under `fast` arithmetic, under `fast`
with the instruction sets of a processor without AVX-512, and on a corpus of another seed, except
for finished jobs. About 25 minutes on two cores.
"""

import argparse
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from _paired import CORPUS, compared, scored
from avfusion.config.load import BASE, load
from avfusion.config.study import Study
from avfusion.evaluation import estimates
from avfusion.evaluation.scored import Scored
from avfusion.layout import Layout
from avfusion.metrics.sums import MEAN
from avfusion.report.elsewhere import write_elsewhere
from machine import finish

PLACE = Path("results/other_machine")
NARROW = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}
SEED = 8
SURE = ("better", "worse")


@dataclass(frozen=True)
class Kind:
    """How a study departs from that of config/config.yaml."""

    arithmetic: str = "portable"
    variables: Mapping[str, str] | None = None
    seed: int | None = None


FIRST = "make demo"
KINDS = {
    "fast": Kind("fast"),
    "fast without AVX-512": Kind("fast", NARROW),
    f"corpus seed {SEED}": Kind(seed=SEED),
}


def main() -> None:
    """Run the studies, compare them and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cores", default="2")
    args = parser.parse_args()
    studies = {FIRST: load(BASE)}
    studies |= {name: ran(name, kind, args.cores) for name, kind in KINDS.items()}
    scores = {name: scored(study) for name, study in studies.items()}
    rows = [_scores(name, studies[name], scores[name]) for name in studies]
    for name, kind in KINDS.items():
        if kind.seed is None:
            rows += [_change(name, f, scores, studies[FIRST]) for f in studies[FIRST].fusions]
    rows += _decisions(studies)
    for each in rows:
        print(f"{each['measure']}: {each['found']}")
    result = {
        "title": "Another machine",
        "what": "Mean test CCC of the demo study under other arithmetic on one machine, which "
        "stands for other processors: encoders are fitted and fusions trained again. The change "
        "of a fusion must lie within its interval over people and trainings. The last rows are "
        f"the declared comparisons, also on a corpus of seed {SEED}.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)
        same = [name for name, kind in KINDS.items() if kind.seed is None]
        found = {name: _by_fusion(scores[name], studies[name]) for name in same}
        write_elsewhere(studies[FIRST], found)


def ran(name: str, kind: Kind, cores: str) -> Study:
    """Run a study as far as it is not finished; return it."""
    place = PLACE / name.replace(" ", "_")
    raw = yaml.safe_load(BASE.read_text()) | {"arithmetic": kind.arithmetic, "results": str(place)}
    if kind.seed is not None:
        entry = raw["corpora"][CORPUS]
        raw["corpora"][CORPUS] = entry | {
            "root": f"data/demo_{kind.seed}",
            "options": entry["options"] | {"seed": kind.seed},
        }
    place.mkdir(parents=True, exist_ok=True)
    config = place / "study.yaml"
    config.write_text(yaml.safe_dump(raw, sort_keys=False))
    command = ["snakemake", "--cores", cores, "--configfile", str(config), "--rerun-incomplete"]
    subprocess.run(
        [*command, "--quiet", "host", "reason", "--", "report_all"],
        env=os.environ | dict(kind.variables or {}),
        check=True,
    )
    return load(config)


def _means(study: Study, scores: Scored) -> pd.DataFrame:
    table = estimates.estimates(scores, study)
    return table[(table["target"] == MEAN) & table["fusion"].isin(study.fusions)]


def _by_fusion(scores: Scored, study: Study) -> dict[str, float]:
    return {row.fusion: round(row.mean, 6) for row in _means(study, scores).itertuples()}


def _scores(name: str, study: Study, scores: Scored) -> dict[str, str]:
    listed = ", ".join(f"{row.fusion} {row.mean:.3f}" for row in _means(study, scores).itertuples())
    return {"measure": f"scores, {name}", "found": listed, "expected": ""}


def _change(name: str, fusion: str, scores: Mapping[str, Scored], base: Study) -> dict[str, str]:
    """Return the change of one fusion, and whether it lies within the fusion's interval."""
    effect = compared(scores[name], scores[FIRST], fusion, base)
    own = _means(base, scores[FIRST]).set_index("fusion").loc[fusion]
    inside = own["low"] <= own["mean"] + effect.value <= own["high"]
    return {
        "measure": f"{fusion}, {name}: {own['mean']:.3f} {effect.value:+.3f}, interval "
        f"{own['low']:.3f} to {own['high']:.3f}",
        "found": "inside" if inside else "outside",
        "expected": "inside",
    }


def _decisions(studies: Mapping[str, Study]) -> list[dict[str, str]]:
    """Return the declared comparisons in all studies, and whether one between fusions holds."""
    tables = {name: _declared(study) for name, study in studies.items()}
    rows, held = [], []
    for pair, first in tables[FIRST].iterrows():
        found = [
            f"{table.loc[pair, 'difference']:+.3f} ({table.loc[pair, 'decision']})"
            if pair in table.index
            else "other baseline"
            for table in tables.values()
        ]
        words = " − ".join(pair)
        rows.append({"measure": words, "found": "; ".join(found), "expected": ""})
        same = all(
            pair in table.index and table.loc[pair, "decision"] == first["decision"]
            for table in tables.values()
        )
        joint = not {"audio", "video", "ridge"} & set(pair)
        held += [words] if same and joint and first["decision"] in SURE else []
    rows.append(
        {
            "measure": f"between fusions, significant with one sign in all: {', '.join(held)}",
            "found": "yes" if held else "no",
            "expected": "yes",
        }
    )
    return rows


def _declared(study: Study) -> pd.DataFrame:
    table = pd.read_csv(Layout(Path(study.results)).tables / "comparisons.csv")
    table = table[(table["family"] == "baselines") & (table["target"] == MEAN)]
    return table.set_index(["fusion", "other"])


if __name__ == "__main__":
    main()
