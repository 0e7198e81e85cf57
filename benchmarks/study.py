"""Run the demo study twice in an empty copy: wall time, jobs and scores.

    python benchmarks/study.py --out benchmarks/results/study.json
    python benchmarks/study.py --out benchmarks/results/study_all.json --all

With `--all`, every fusion of config/experiments/study.yaml with its variants and controls.

Runs in a scratch copy of the tracked files, so existing results do not change. The time of the
first run is given with the times of its stages. A study that has run is summarised instead:

    make study
    python benchmarks/study.py --all --finished . --out benchmarks/results/study_all.json
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from machine import finish

ALL = "config/experiments/study.yaml"
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="kept afterwards; default: a temporary folder")
    parser.add_argument("--all", action="store_true", help="every fusion, not only demo's")
    parser.add_argument("--finished", type=Path, metavar="FOLDER", help="a clone with its study")
    args = parser.parse_args()
    if args.finished:
        finish(summary(args.finished, args.all), args.out)
        return
    command = [
        "--cores",
        str(args.cores),
        *(["--configfile", ALL] if args.all else []),
        "--",
        "all",
    ]
    all_s = "<= 900 s" if args.all else ""
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.scratch or Path(temporary) / "avfusion"
        copy_tracked(folder)
        began = time.time()
        first_s, first = timed_run(folder, command)
        second_s, second = timed_run(folder, command)
        rows = [
            row("first run until scores are written", f"{scored(folder) - began:.0f} s", all_s),
            row("first run, wall", f"{first_s:.0f} s", "" if args.all else "<= 480 s"),
            row("second run, wall", f"{second_s:.1f} s", "<= 20 s"),
            row("second run, jobs", str(jobs(second)), "0"),
            row("first run, jobs", str(jobs(first))),
            *outcome(folder / "results" / ("study" if args.all else "")),
        ]
    result = {
        "title": f"{title(args.all)}, first and second run",
        "what": f"`snakemake {' '.join(command)}` in an empty copy, with corpus generation.",
        "rows": rows,
    }
    finish(result, args.out)


def copy_tracked(folder: Path) -> None:
    """Copy the tracked files, without results, into an empty folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0")[:-1]:
        source = ROOT / name
        if not source.exists():
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def timed_run(folder: Path, command: list[str]) -> tuple[float, str]:
    """Run `snakemake all`; return wall seconds and output."""
    snakemake = Path(sys.executable).parent / "snakemake"
    start = time.monotonic()
    done = subprocess.run(
        [str(snakemake), *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout[-4000:])
    return time.monotonic() - start, done.stdout


def title(every: bool) -> str:
    return "Every fusion" if every else "The demo study"


def summary(folder: Path, every: bool) -> dict[str, object]:
    """Return scores, declared comparisons, gates and times of a study that has run."""
    rows = outcome(folder / "results" / ("study" if every else ""))
    what = f"What `make {'study' if every else 'demo'}` found. Seconds are of processor time."
    return {"title": title(every), "what": what, "rows": rows}


def outcome(results: Path) -> list[dict[str, str]]:
    """Return rows from the tables and the times of a finished study."""
    tables = results / "tables"
    rows = [*scores(tables), *declared(tables)]
    if (tables / "gaps.csv").is_file():
        rows += [*gaps(tables), *gates(tables)]
    return [*rows, *stages(results)]


def scored(folder: Path) -> float:
    """Return when the scores were written; corrupted input, tables and figures follow."""
    (path,) = folder.glob("results/**/scores/demo/scores.parquet")
    return path.stat().st_mtime


def jobs(printed: str) -> int:
    """Return the number of jobs in the output of Snakemake; 0 if none ran."""
    found = re.findall(r"^total\s+(\d+)", printed, flags=re.MULTILINE)
    return int(found[0]) if found else 0


def scores(tables: Path) -> list[dict[str, str]]:
    """Return the test CCC of each fusion under the headline protocol, mean over seeds."""
    table = pd.read_csv(tables / "scores.csv")
    if "partition" in table:
        table = table[table["partition"] == "test"]
    table = table[(table["protocol"] == "pooled") & (table["target"] == "mean")]
    singles = table[table["fusion"].isin(["audio", "video"])]["mean"].max()
    fused = table[~table["fusion"].isin(["audio", "video"])].sort_values("mean").iloc[-1]
    rows = [
        row(f"CCC of {name}", f"{value:.3f}")
        for name, value in zip(table["fusion"], table["mean"], strict=True)
    ]
    label = f"{fused['fusion']} minus the better single modality, CCC"
    return [*rows, row(label, f"{fused['mean'] - singles:.3f}", "> 0")]


def declared(tables: Path) -> list[dict[str, str]]:
    """Return how many declared comparisons of fusions are significant, and each that is."""
    table = pd.read_csv(tables / "comparisons.csv")
    table = table[(table["target"] == "mean") & (table["protocol"] == "pooled")]
    table = table[(table["partition"] == "test") & ~table["exploratory"]]
    found = table[table["significant"]]
    return [
        row("declared comparisons, significant", f"{len(found)} of {len(table)}", ">= 1"),
        *(
            row(
                f"{each.fusion} minus {each.other}, CCC",
                f"{interval(each.difference, each.low, each.high)}, Holm's p {each.p_holm:.3f}",
            )
            for each in found.itertuples()
        ),
    ]


def gaps(tables: Path) -> list[dict[str, str]]:
    """Return the gap between oracle and stack, and the share of it that each gate closes."""
    table = pd.read_csv(tables / "gaps.csv")
    rows = []
    for each in table.itertuples():
        if not rows:
            gap = interval(each.gap, each.gap_low, each.gap_high)
            rows.append(row("oracle minus stack, CCC", gap, ">= 0.04"))
        share = interval(each.share, each.low, each.high)
        rows.append(row(f"share of it that the gate of {each.fusion} closes", share))
    return rows


def gates(tables: Path) -> list[dict[str, str]]:
    """Return how many trainings of each gate answer spoilt spans of any kind as declared."""
    table = pd.read_csv(tables / "gates.csv").query("kind == 'any'")
    return [
        row(
            f"{each.gate} of {each.fusion} in spoilt {each.modality}, trainings as declared",
            f"{each.as_declared} of {each.seeds}, AUROC "
            f"{interval(each.auroc, each.low, each.high)}",
        )
        for each in table[table["declared"].notna()].itertuples()
    ]


def interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def stages(results: Path) -> list[dict[str, str]]:
    """Return processor seconds of each rule, over its jobs, from Snakemake's benchmark files."""
    total: dict[str, float] = {}
    for path in sorted(results.glob("**/*.bench.tsv")):
        rule = pd.read_csv(path, sep="\t")
        name = path.name.split(".")[0].split("-")[0]
        total[name] = total.get(name, 0.0) + float(rule["cpu_time"].sum())
    return [
        row(f"stage {name}, all jobs", f"{s:.1f} s")
        for name, s in sorted(total.items(), key=lambda item: -item[1])
    ]


def row(measure: str, found: str, expected: str = "") -> dict[str, str]:
    """Return one row of the result."""
    return {"measure": measure, "found": found, "expected": expected}


if __name__ == "__main__":
    main()
