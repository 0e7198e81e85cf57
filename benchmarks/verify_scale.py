"""Measure `avf verify affwild2` on a folder as large as the real corpus.

    python benchmarks/verify_scale.py --out benchmarks/results/verify_scale.json

The folder has the form of the corpus and the public frame counts. Videos and images are empty
files, so times include listing and checking, but not reading.
"""

import argparse
import json
import os
import re
import resource
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from avfusion.config.jobs import CorpusSettings
from machine import finish

ROOT = Path(__file__).resolve().parents[1]
COUNTS = ROOT / "src/avfusion/corpora/affwild2/assets/affwild2_framecounts.json"
TRACK = "6th_ABAW_Annotations/VA_Estimation_Challenge"
PARTS = {"Train_Set": 356, "Validation_Set": 76, "test": 162}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--share", type=float, default=0.985, help="of each trial's images")
    parser.add_argument(
        "--scratch", type=Path, help="where the tree goes; default: a temporary place"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        tree, results = Path(scratch) / "tree", Path(scratch) / "results"
        files = plant(tree, args.share)
        first, second = look(tree, results), look(tree, results)
        kept = sum(p.stat().st_size for p in (results / "manifest").rglob("*") if p.is_file())
    rows = [
        {"measure": "files", "found": f"{files:,}", "expected": ""},
        {
            "measure": "peak memory of avf verify",
            "found": f"{first['peak_mb']:.0f} MB",
            "expected": "<= 2000 MB",
        },
        {
            "measure": "lines of progress",
            "found": str(first["progress"]),
            "expected": ">= 1",
        },
        {"measure": "checks made", "found": str(first["checks"]), "expected": ">= 40"},
        {"measure": "first run", "found": f"{first['seconds']:.0f} s", "expected": ""},
        {"measure": "second run", "found": f"{second['seconds']:.0f} s", "expected": ""},
        {"measure": "written below results", "found": f"{kept / 1e6:.0f} MB", "expected": ""},
    ]
    result = {
        "title": "Verifying a large corpus",
        "what": "`avf verify affwild2` in a new process, on empty files in the form and number of "
        "the corpus, and a second time. Reading real videos and images takes additional time.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)
    else:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")


def plant(tree: Path, share: float) -> int:
    """Write the folder and return its number of files."""
    counts = json.loads(COUNTS.read_text())
    trials = [*counts][: sum(PARTS.values())]
    place = [part for part, n in PARTS.items() for _ in range(n)]
    files = 0
    for number, raw in enumerate(counts):
        folder = tree / (
            "new_vids" if re.fullmatch(r"4[5-9]\d|500", raw) else f"batch{1 + number % 2}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{raw}.mp4").touch()
        files += 1
    for trial, part in zip(trials, place, strict=True):
        folder = tree / "cropped_aligned" / trial
        folder.mkdir(parents=True)
        within = os.open(folder, os.O_RDONLY)
        for row in range(1, int(share * counts[trial]) + 1):
            os.mknod(f"{row:05d}.jpg", 0o644 | stat.S_IFREG, dir_fd=within)
        os.close(within)
        files += int(share * counts[trial])
        if part != "test":
            text = tree / TRACK / part / f"{trial}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("valence,arousal\n" + "0.112,0.305\n" * (counts[trial] + 1))
            files += 1
    names = [t for t, part in zip(trials, place, strict=True) if part == "test"]
    (tree / "Valence_Arousal_Estimation_Challenge_test_set_release.txt").write_text(
        "".join(f"{name}\n" for name in names)
    )
    return files + 1


def look(tree: Path, results: Path) -> dict[str, float]:
    """Run `avf verify` in a process of its own."""
    options = {"edition": "abaw6", "faces": "official"}
    settings = CorpusSettings(class_="affwild2", root=tree, options=options)
    file = results.parent / "settings.json"
    file.write_text(json.dumps(settings.document()))
    command = [sys.executable, "-m", "avfusion.cli", "verify", "affwild2"]
    began = time.monotonic()
    said = subprocess.run(
        [*command, "--settings", str(file), "--results", str(results)],
        capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    seconds = time.monotonic() - began
    # The largest child so far; the second look holds no more than the first.
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lines = said.splitlines()
    return {
        "seconds": seconds,
        "peak_mb": peak_mb,
        "progress": sum(
            bool(re.search(r"listing files|reading files|reading times", x)) for x in lines
        ),
        "checks": sum(bool(re.search(r" (PASS|WARN|FAIL)  ", x)) for x in lines),
    }


if __name__ == "__main__":
    main()
