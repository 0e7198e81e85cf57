"""Faults put to a small study for real: each must end in recovery or a clear error.

    python benchmarks/faults.py --out benchmarks/results/faults.json

Every case starts from a copy of one undisturbed study and is judged by tables/scores.csv, byte for
byte. benchmarks/faults.md is written beside the result. Disk full and read-only need root.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import finish
from study import ROOT, copy_tracked

BIN = Path(sys.executable).parent
FLAGS = ("--configfile", "tiny.yaml", "--rerun-incomplete", "--quiet", "host", "reason", "rules")
SCORES = Path("results/tables/scores.csv")
RUN = Path("results/runs/demo/ca/seed0")


class Place:
    """A scratch copy of the project with the tiny study; commands run there."""

    def __init__(self, folder: Path, source: Path | None = None) -> None:
        self.folder = folder
        if source is None:
            copy_tracked(folder)
            shutil.copy2(ROOT / "tests/config_tiny.yaml", folder / "tiny.yaml")
        else:
            shutil.copytree(source, folder, symlinks=True)
        self.env = {**os.environ, "PYTHONPATH": str(folder / "src")}
        self.env["PATH"] = f"{BIN}:{self.env['PATH']}"
        self.env.pop("MLFLOW_TRACKING_URI", None)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command in a process group of its own."""
        return subprocess.Popen(
            words, cwd=self.folder, env=self.env, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and all that was printed."""
        job = self.start(*words)
        printed = job.communicate()[0]
        return job.returncode, printed

    def study(self, *more: str) -> tuple[int, str]:
        """The whole workflow, after a lock that a kill left behind was taken away."""
        self.run("snakemake", "--configfile", "tiny.yaml", "--unlock")
        return self.run("snakemake", "--cores", "2", *FLAGS, *more, "--", "all")

    def table(self) -> bytes:
        path = self.folder / SCORES
        return path.read_bytes() if path.is_file() else b""


Case = Callable[[Place], dict[str, str]]
Words = tuple[tuple[str, ...], ...]


def said(printed: str) -> str:
    """The line a person would act on: that of avf, else that of Snakemake."""
    lines = [line.strip() for line in printed.splitlines()]
    for mark in ("avf ", "starting over", "LockException", "Error: Directory", "No space left"):
        found = [
            line for line in lines if line.startswith(mark) or (mark != "avf " and mark in line)
        ]
        if found:
            return found[-1][:400]
    return ""


def killed(place: Place, kills: int = 20, seed: int = 1) -> dict[str, str]:
    """kill -9 of the whole process group at random moments, until the study is through."""
    draw, count, unlocked = random.Random(seed), 0, 0
    for name in ("results", "data/tiny", ".snakemake"):
        shutil.rmtree(place.folder / name, ignore_errors=True)
    while count < kills:
        unlocked += place.run("snakemake", "--configfile", "tiny.yaml", "--unlock")[0] == 0
        job = place.start("snakemake", "--cores", "2", *FLAGS, "--", "all")
        time.sleep(draw.uniform(2, 16))
        if job.poll() is not None:
            shutil.rmtree(place.folder / "results" / "runs", ignore_errors=True)
            shutil.rmtree(place.folder / "results" / "encoders", ignore_errors=True)
        else:
            os.killpg(job.pid, signal.SIGKILL)
            count += 1
        job.communicate()
    code, _ = place.study()
    return {"done": f"kill -9 of the whole process group at {count} random moments of 2 to 16 s",
            "seen": "nothing but the missing end", "ended": f"`snakemake --unlock` and the same "
            f"command; exit code {code}"}  # fmt: skip


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


def damaged(harm: Callable[[Place], str], use: tuple[str, ...], mend: Words) -> Case:
    """A case: harm a file, use it, do what the message says, run the study again."""

    def case(place: Place) -> dict[str, str]:
        done = harm(place)
        code, printed = place.run(*use)
        mended = [place.run(*words)[0] for words in mend]
        last, _ = place.study()
        told = said(printed) or "it goes on"
        shown = "; ".join(f"`{' '.join(words)}`" for words in mend) or "by itself"
        return {"done": done, "seen": f"exit code {code}: {told}",
                "ended": f"{shown} (exit codes {mended}), then the study: {last}"}  # fmt: skip

    return case


def cut_feature(place: Place) -> str:
    path = sorted((place.folder / "results/features/demo/mel_cnn").glob("*.times.npy"))[0]
    path = path.with_name(path.name.replace(".times.npy", ".npy"))
    path.write_bytes(path.read_bytes()[:-64])
    return "the last 64 bytes of a feature file cut off, then inference"


def flip_weights(place: Place) -> str:
    flip(place.folder / RUN / "best.safetensors", -50)
    return "one bit of best.safetensors flipped, then inference"


def flip_state(place: Place) -> str:
    flip(place.folder / RUN / "state.pt", -500)
    return "one bit of state.pt flipped, then the run trained again"


def edit_settings(place: Place) -> str:
    path = place.folder / RUN / "settings.json"
    path.write_text(path.read_text().replace('"lr": 0.001', '"lr": 0.1'))
    return "lr changed by hand in a run's settings.json, then scored"


def edit_traces(place: Place) -> str:
    import pandas as pd

    path = place.folder / RUN / "traces.parquet"
    table = pd.read_parquet(path)
    table.assign(valence=table["valence"] * 2).to_parquet(path, index=False)
    return "a run's predictions doubled by hand, then scored"


def twice(place: Place) -> dict[str, str]:
    shutil.rmtree(place.folder / "results/scores")
    shutil.rmtree(place.folder / "results/runs")
    first = place.start("snakemake", "--cores", "1", *FLAGS, "--", "all")
    while not any((place.folder / ".snakemake/locks").glob("*")) and first.poll() is None:
        time.sleep(0.05)
    code, printed = place.run("snakemake", "--cores", "1", *FLAGS, "--", "all")
    first.communicate()
    return {"done": "the same study started twice at once",
            "seen": f"the second, exit code {code}: {said(printed)}",
            "ended": f"the first runs through, exit code {first.returncode}"}  # fmt: skip


def mounted(kind: str) -> Case:
    """A case on a results folder that is full, or read-only, until it is mended."""

    def case(place: Place) -> dict[str, str]:
        results = place.folder / "results"
        kept = place.folder / "kept"
        shutil.rmtree(results / "runs")
        results.rename(kept)
        results.mkdir()
        size = 2 + sum(p.stat().st_size for p in kept.rglob("*") if p.is_file()) // 2**20
        mount = ["mount", "-t", "tmpfs", "-o", f"size={2 * size}m", "tmpfs", str(results)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return {"done": f"results {kind}", "seen": "skipped: mounting needs root", "ended": ""}
        try:
            shutil.copytree(kept, results, dirs_exist_ok=True)
            filler = results / "filler"
            if kind == "full":
                with contextlib.suppress(OSError), filler.open("wb") as file:
                    while True:
                        file.write(b"0" * 4096)
                        file.flush()
            else:
                subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
            train = ("avf", "train", "demo", "ca", "--seed", "0", "--config", "tiny.yaml")
            code, printed = place.run(*train)
            studied, _ = place.study()
            if kind == "full":
                filler.unlink()
            else:
                subprocess.run(["mount", "-o", "remount,rw", str(results)], check=True)
            last, _ = place.study()
            shutil.copytree(results, kept, dirs_exist_ok=True)
        finally:
            subprocess.run(["umount", "-l", str(results)], check=False)
            results.rmdir()
            kept.rename(results)
        return {"done": f"results on a small disk that is {kind}: `avf train`, then the study",
                "seen": f"exit codes {code} and {studied}: {said(printed)}",
                "ended": f"mended, the same command: {last}"}  # fmt: skip

    return case


def clock(days: int) -> Case:
    """A case in which half of the results are dated `days` from now."""

    def case(place: Place) -> dict[str, str]:
        at = time.time() + 86400 * days
        paths = sorted(p for p in (place.folder / "results").rglob("*") if p.is_file())
        for path in random.Random(3).sample(paths, len(paths) // 2):
            os.utime(path, (at, at))
        codes = [place.study()[0] for _ in range(2)]
        _, printed = place.run("snakemake", "--cores", "1", *FLAGS, "-n", "--", "all")
        idle = "Nothing to be done" in printed or "job" not in printed
        return {"done": f"half of the files dated {days:+d} days, as after a jump of the clock",
                "seen": "jobs run again" if not idle else "nothing",
                "ended": f"the study twice: {codes}; a third run has "
                f"{'nothing to do' if idle else 'jobs to do still'}"}  # fmt: skip

    return case


INFER = ("avf", "infer", str(RUN), "--config", "tiny.yaml")
TRAIN = ("avf", "train", "demo", "ca", "--seed", "0", "--config", "tiny.yaml")
SCORE = ("avf", "score", "demo", "--config", "tiny.yaml")
ENCODE = (
    ("avf", "encode", "demo", "mel_cnn", "--config", "tiny.yaml"),
    ("avf", "index", "results/features/demo/mel_cnn"),
)
CASES = {
    "truncated feature file": damaged(cut_feature, INFER, ENCODE),
    "flipped byte in the weights": damaged(flip_weights, INFER, (TRAIN,)),
    "flipped byte in the state": damaged(flip_state, TRAIN, ()),
    "settings edited by hand": damaged(edit_settings, SCORE, (TRAIN,)),
    "predictions edited by hand": damaged(edit_traces, SCORE, (INFER,)),
    "two workflows at once": twice,
    "read-only results": mounted("read-only"),
    "disk full": mounted("full"),
    "clock ahead": clock(30),
    "clock behind": clock(-30),
    "kill -9": killed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="avf-faults-") as temporary:
        whole = Place(Path(temporary) / "whole")
        if whole.study()[0]:
            sys.exit("The undisturbed study fails; nothing to compare with.")
        for name in args.only:
            place = Place(Path(temporary) / name.replace(" ", "_"), whole.folder)
            row = {"case": name, **CASES[name](place)}
            skipped = row["seen"].startswith("skipped")
            equal = "not tried" if skipped else str(place.table() == whole.table())
            row |= {"measure": name, "found": equal, "expected": "" if skipped else "True"}
            rows.append(row)
            print(json.dumps(row), flush=True)
            shutil.rmtree(place.folder)
            write(rows, args.out)
    finish({"title": "Faults", "what": WHAT, "rows": rows}, args.out)


WHAT = "Faults put to the tiny study of tests/config_tiny.yaml; the table is tables/scores.csv."


def write(rows: list[dict[str, str]], out: Path) -> None:
    """benchmarks/faults.md: a section a case."""
    lines = ["# Faults", "", f"Generated by `python benchmarks/faults.py`. {WHAT}", ""]
    for row in rows:
        lines += [f"## {row['case']}", "", f"- Done: {row['done']}", f"- Seen: {row['seen']}"]
        lines += [f"- Ended: {row['ended']}", f"- Table equal, byte for byte: {row['found']}", ""]
    (out.parents[1] / "faults.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
