"""Compare the processor time of a study of all fusions with that of an older checkout.

    git worktree add /tmp/before 62940f1
    python benchmarks/before.py --before /tmp/before --out benchmarks/results/before.json

Both run the same study, from generating the demo corpus to the page: the fusions of the older
checkout's own study of all fusions, three seeds, and a fixed number of epochs. Both run at the same
time on half of the cores each, so that a busy machine slows both. About an hour on 2 cores.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import yaml

from machine import finish, revision
from study import ROOT, row

EPOCHS = 10
STUDY = {
    "results": "results",
    "corpora": {
        "demo": {
            "root": "data/demo",
            "shards": 2,
            "options": {"videos": 36, "seconds": 20, "seed": 7},
        }
    },
    "features": {
        "audio": ["mel_cnn"],
        "video": ["face_expression", "face_cnn"],
        "text": ["words"],
    },
    "encoders": {"mel_cnn": {"epochs": 14}, "face_cnn": {"epochs": 22}},
    "windows": {"clip_s": 0.64, "hop_s": 0.16, "clips": 16},
    "seeds": [0, 1, 2],
    "train": {"baseline": "video", "batch": 32, "lr": 1e-3, "epochs": EPOCHS, "patience": EPOCHS},
    "protocols": ["pooled", "per_video", "smoothed"],
    "headline": "pooled",
}
"""Settings that both checkouts know."""

STAGES = {
    "corpus": ("make_corpus", "verify"),
    "media": ("media", "media_index"),
    "encoders": ("fit_encoder", "encode", "feature_index"),
    "training": ("train",),
    "corrupted input": ("robust", "corrupt"),
    "scores": ("score",),
    "report": ("tables", "figures", "page", "report"),
    "records": ("record",),
}
"""Part of a study -> rules."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="older checkout")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, help="kept afterwards; default: a temporary folder")
    args = parser.parse_args()
    listed = yaml.safe_load((args.before / "config/experiments/study.yaml").read_text())
    study = {**STUDY, **{key: listed[key] for key in ("fusions", "robustness")}}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = args.scratch or Path(temporary)
        folders = {"now": scratch / "now", "before": scratch / "before"}
        for name, checkout in (("now", ROOT), ("before", args.before)):
            copy_of(checkout, folders[name])
            (folders[name] / "config/config.yaml").write_text(yaml.safe_dump(study))
        with ThreadPoolExecutor() as pool:
            spent = dict(zip(folders, pool.map(measured, folders.values()), strict=True))
        of = {name: stages(folder / "results") for name, folder in folders.items()}
    runs = len(study["fusions"]) * len(study["seeds"])
    what = (
        f"The study of {len(study['fusions'])} fusions with {len(study['seeds'])} seeds, "
        f"{EPOCHS} epochs each, {len(study['robustness'])} kinds of corrupted input, on a made "
        f"corpus of 36 videos of 20 s: {runs} runs. Processor seconds of all processes, with the "
        f"start of Python; the older checkout is {revision(args.before)}. Both ran at the same "
        "time. Today's study also trains ridge regressions and tests more. Parts are Snakemake's "
        "figures of its jobs, which miss processes that a job starts."
    )
    result = {"title": "The study of all fusions, before and now", "what": what}
    finish({**result, "rows": rows(spent, of)}, args.out)


def copy_of(checkout: Path, folder: Path) -> None:
    """Clone the committed files of a checkout, without results."""
    subprocess.run(["git", "clone", "--quiet", str(checkout), str(folder)], check=True)
    head = revision(checkout)
    subprocess.run(["git", "checkout", "--quiet", "--detach", head], cwd=folder, check=True)


def measured(folder: Path) -> float:
    """Run the study in a folder; return the processor seconds of all its processes."""
    command = [sys.executable, __file__, "--child", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-4000:] + done.stderr[-4000:])
    return float(done.stdout.split()[-1])


def child(folder: Path) -> None:
    """Run the study in this process' children, and print their processor seconds."""
    programs = Path(sys.executable).parent
    cores = max(1, len(os.sched_getaffinity(0)) // 2)
    place = {**os.environ, "PYTHONPATH": str(folder / "src")}
    place["PATH"] = f"{programs}{os.pathsep}{place['PATH']}"
    command = [str(programs / "snakemake"), "--cores", str(cores), "--", "all"]
    log = folder.with_suffix(".log")
    with log.open("w") as out:
        began = time.monotonic()
        code = subprocess.call(command, cwd=folder, env=place, stdout=out, stderr=out)
    if code:
        sys.exit(f"{folder}: the study failed after {time.monotonic() - began:.0f} s; see {log}")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    sys.stdout.write(f"{spent.ru_utime + spent.ru_stime:.1f}\n")


def stages(results: Path) -> dict[str, float]:
    """Return part of a study -> processor seconds of its jobs."""
    each: dict[str, float] = {}
    for path in sorted(results.glob("**/*.bench.tsv")):
        rule = path.name.split(".")[0].split("-")[0]
        seconds = pd.to_numeric(pd.read_csv(path, sep="\t")["cpu_time"], errors="coerce")
        each[rule] = each.get(rule, 0.0) + float(seconds.sum())
    parts = {part: sum(each.pop(rule, 0.0) for rule in rules) for part, rules in STAGES.items()}
    return {**parts, "other": sum(each.values())}


def rows(spent: dict[str, float], of: dict[str, dict[str, float]]) -> list[dict[str, str]]:
    """Return the whole study and its parts, now and before."""
    half = "<= 0.5"
    both = f"{spent['now']:.0f} s, {spent['before']:.0f} s before"
    table = [
        row("processor time", both),
        row("processor time, now / before", f"{spent['now'] / spent['before']:.2f}", half),
    ]
    for part, before in of["before"].items():
        if before or of["now"][part]:
            table.append(row(part, f"{of['now'][part]:.0f} s, {before:.0f} s before"))
    return table


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]))
    else:
        main()
