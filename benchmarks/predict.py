"""Predictions of clips: speed, memory, agreement with the study, and coverage of intervals.

    make demo
    python benchmarks/predict.py --out benchmarks/results/predict.json

A clip of a drawn person at 640x480 is predicted with the bundle of the demo study, then the same
clip repeated to an hour. Processor time counts all processes. About 15 minutes on two cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.corpora.demo.example import example_clip
from avfusion.layout import Layout
from avfusion.prediction.bundle import Bundle
from avfusion.runs.files import read_settings, read_traces
from machine import finish
from media import repeat

CORPUS, SIZE_PX, POLL_S = "demo", (640, 480), 0.2


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--minutes", type=int, default=60, help="0: leave speed and memory out")
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--results", type=Path, default=Path("results"))
    args = parser.parse_args()
    layout = Layout(args.results)
    bundle = Bundle.open(layout.bundle(CORPUS))
    with tempfile.TemporaryDirectory() as scratch:
        rows = agreement(bundle, layout, args.videos, Path(scratch)) + coverage(bundle)
        rows += length(bundle, Path(scratch), args.minutes) if args.minutes else []
    for each in rows:
        print(f"{each['measure']}: {each['found']}")
    result = {
        "title": "Predictions of clips",
        "what": "The bundle of the demo study on clips at 640x480 and 25 frames per second. "
        "Agreement is with the predictions of the study's own runs on its test videos. Coverage is "
        "that of the 95 % intervals on test people.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def agreement(bundle: Bundle, layout: Layout, videos: int, scratch: Path) -> list[dict[str, str]]:
    """Return the greatest difference from the mean of the runs' own predictions on test videos.

    The command predicts, since it has the arithmetic of the bundle; this process does not.
    """
    fusion, targets = bundle.document.fusion, list(bundle.document.targets)
    folders = [layout.run(CORPUS, fusion, member.seed) for member in bundle.document.members]
    traces = pd.concat(read_traces(folder, read_settings(folder)) for folder in folders)
    traces = traces[traces["partition"] == "test"]
    means = traces.groupby(["video", "time_s"])[targets].mean()
    manifest = pd.read_parquet(layout.manifest(CORPUS)).set_index("video")
    names = sorted(traces["video"].unique())[:videos]
    paths = [str(Path("data") / CORPUS / manifest.loc[name, "path"]) for name in names]
    command = [sys.executable, "-m", "avfusion.cli", "predict", *paths, "--formats", "parquet"]
    command += ["--model", str(bundle.folder), "--out", str(scratch / "test")]
    subprocess.run(command, check=True)
    worst = 0.0
    for name, path in zip(names, paths, strict=True):
        table = pd.read_parquet(scratch / "test" / f"{Path(path).stem}.parquet")
        gap = np.abs(table[targets].to_numpy() - means.loc[name].to_numpy())
        worst = max(worst, float(gap.max()))
    return [
        {
            "measure": f"greatest difference from the study, {len(names)} test videos",
            "found": f"{worst:.1e}",
            "expected": "<= 1e-6",
        }
    ]


def coverage(bundle: Bundle) -> list[dict[str, str]]:
    """Return the coverage that the bundle states."""
    found = bundle.document.calibration.coverage
    assert found is not None
    return [
        {"measure": f"coverage, {name}", "found": f"{share:.3f}", "expected": expected}
        for name, share in found.shares.items()
        for expected in (">= 0.90", "<= 0.98")
    ]


def length(bundle: Bundle, scratch: Path, minutes: int) -> list[dict[str, str]]:
    """Return peak memory and speed for one minute and for many, each by a new process."""
    short, long = scratch / "short.mkv", scratch / "long.mkv"
    example_clip(scratch / "short.mp4", 60.0, seed=17, size_px=SIZE_PX)
    repeat(scratch / "short.mp4", short, 1)
    repeat(scratch / "short.mp4", long, minutes)
    one_mb, _, _ = measured(bundle.folder, short, scratch)
    many_mb, processor_s, wall_s = measured(bundle.folder, long, scratch)
    seconds = 60 * minutes
    return [
        {"measure": "peak memory, 1 minute", "found": f"{one_mb:.0f} MB", "expected": ""},
        {"measure": f"peak memory, {minutes} minutes", "found": f"{many_mb:.0f} MB"},
        {
            "measure": f"peak memory, {minutes} minutes / 1 minute",
            "found": f"{many_mb / one_mb:.3f}",
            "expected": "<= 1.10",
        },
        {
            "measure": f"seconds of video per second of processor time, {minutes} minutes",
            "found": f"{seconds / processor_s:.2f}",
            "expected": ">= 1",
        },
        {
            "measure": f"seconds of video per second, {minutes} minutes",
            "found": f"{seconds / wall_s:.2f}",
            "expected": ">= 1",
        },
    ]


def measured(model: Path, clip: Path, scratch: Path) -> tuple[float, float, float]:
    """Return peak memory of all processes in MB, processor seconds and seconds of one call."""
    command = [sys.executable, "-m", "avfusion.cli", "predict", str(clip), "--model", str(model)]
    command += ["--out", str(scratch / f"{clip.stem}-predicted"), "--formats", "csv"]
    began = time.monotonic()
    spent: dict[int, float] = {}  # as last seen; at most POLL_S is missed per process
    peak_kb = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            tree = _tree(process.pid)
            peak_kb = max(peak_kb, sum(memory for memory, _ in tree.values()))
            spent |= {pid: seconds for pid, (_, seconds) in tree.items()}
            time.sleep(POLL_S)
    assert process.returncode == 0, command
    return peak_kb / 1024, sum(spent.values()), time.monotonic() - began


def _tree(root: int) -> dict[int, tuple[int, float]]:
    """Return process -> private memory in kB and processor seconds, of a process and below."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(words[1])
    found, tick = {}, os.sysconf("SC_CLK_TCK")
    for pid in parents:
        at = pid
        while at in parents and at != root:
            at = parents[at]
        if at == root:
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            memory = next(int(x.split()[1]) for x in rollup.splitlines() if x.startswith("Pss:"))
            found[pid] = memory, (int(words[11]) + int(words[12])) / tick
    return found


if __name__ == "__main__":
    main()
