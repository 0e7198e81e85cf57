"""Time the planning of large studies by Snakemake: a corpus of 598 videos, and 10,000 jobs.

    python benchmarks/scale.py --out benchmarks/results/scale.json

Only plans (`--dry-run`), in a scratch copy. Before verification, only the number of shards of a
corpus is read. Bounds are on processor seconds, because wall time depends on other work on the
machine. On an idle machine both agree.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from avfusion.config.modalities import with_text
from avfusion.registry import fusions
from machine import finish
from study import copy_tracked

VIDEOS = 598
A_SHARD = 25
CORPORA = ("first", "second", "third")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    shards = -(-VIDEOS // A_SHARD)
    plans = [
        (f"shards of {A_SHARD} videos", study(shards, seeds=5), "<= 15 s", ">= 200"),
        ("one job per video", study(VIDEOS, seeds=5), "<= 15 s", ">= 1000"),
        ("10,000 jobs", study(VIDEOS, seeds=72, everywhere=True), "<= 90 s", ">= 10000"),
    ]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "avfusion"
        copy_tracked(folder)
        for name, config, bound, least in plans:
            (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
            jobs, processor_s, wall_s, memory_mb = plan(folder)
            rows += [
                row(f"{name}: jobs", str(jobs), least),
                row(f"{name}: processor", f"{processor_s:.1f} s", bound),
                row(f"{name}: wall", f"{wall_s:.1f} s"),
                row(f"{name}: memory of the head process", f"{memory_mb:.0f} MB"),
            ]
    what = (
        f"`snakemake --profile slurm --dry-run all` for a corpus of {VIDEOS} videos through all "
        "stages, with 14 fusions and 5 seeds on each of 3 corpora. Then with one job per video, "
        "and with one job per video of 3 such corpora and 72 seeds."
    )
    finish({"title": "Planning large studies", "what": what, "rows": rows}, args.out)


def study(shards: int, seeds: int, everywhere: bool = False) -> dict[str, object]:
    """Return a study of 3 corpora and 14 fusions; the first corpus, or each, has `shards` jobs."""
    counts = [shards, *([shards if everywhere else 2] * (len(CORPORA) - 1))]
    corpora = {
        name: {"is": "demo", "root": f"data/{name}", "shards": count}
        for name, count in zip(CORPORA, counts, strict=True)
    }
    return {
        "corpora": corpora,
        "fusions": {name: {} for name in audio_visual()[:14]},
        "seeds": list(range(seeds)),
    }


def audio_visual() -> list[str]:
    """Return the fusions of audio and video; fusions of text need transcripts."""
    return [name for name in fusions.names() if not with_text(name, {})]


def plan(
    folder: Path, options: tuple[str, ...] = ("--profile", "slurm")
) -> tuple[int, float, float, float]:
    """Return jobs, processor seconds, wall seconds and peak MB of one dry run."""
    snakemake = str(Path(sys.executable).parent / "snakemake")
    quiet = ("--quiet", "host", "rules", "reason")
    words = [snakemake, *options, "--dry-run", *quiet, "--", "all"]
    env = {**os.environ, "PYTHONPATH": str(folder / "src")}
    begun = time.monotonic()
    with (folder / "said.txt").open("w+") as said:
        child = subprocess.Popen(words, cwd=folder, env=env, stdout=said, stderr=said)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.monotonic() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        printed = said.read()
    if child.returncode:
        sys.exit(printed[-4000:])
    jobs = int(re.findall(r"^total\s+(\d+)", printed, flags=re.MULTILINE)[0])
    return jobs, used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss / 1e3


def row(measure: str, found: str, expected: str = "") -> dict[str, str]:
    """Return one row of the result."""
    return {"measure": measure, "found": found, "expected": expected}


if __name__ == "__main__":
    main()
