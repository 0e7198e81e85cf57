"""A scratch copy of the project with the tiny study, in which faults are tried."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from study import ROOT, copy_tracked

BIN = Path(sys.executable).parent
FLAGS = ("--configfile", "tiny.yaml", "--rerun-incomplete", "--quiet", "host", "reason", "rules")
RUN = Path("results/runs/demo/ca/seed0")
TRAINED = ("runs", "scores", "tables", "figures", "report.html", "metrics.json", "ccc.csv")
"""What follows from the features, below results/."""


class Place:
    """A scratch copy of the project with the tiny study, in which commands run."""

    cold_s: float
    """Seconds that the whole study took, from nothing and undisturbed."""

    expected: dict[str, bytes]
    """Tables of the undisturbed study."""

    def __init__(self, folder: Path, source: "Place | None" = None) -> None:
        self.folder = folder
        if source is None:
            copy_tracked(folder)
            shutil.copy2(ROOT / ".test/config/config.yaml", folder / "tiny.yaml")
        else:
            shutil.copytree(source.folder, folder, symlinks=True)
            self.cold_s, self.expected = source.cold_s, source.expected
        self.env = {**os.environ, "PYTHONPATH": str(folder / "src")}
        self.env["PATH"] = f"{BIN}:{self.env['PATH']}"
        self.env.pop("MLFLOW_TRACKING_URI", None)

    def start(self, *words: str, log: Path | None = None) -> subprocess.Popen[str]:
        """Start a command in a process group of its own.

        Give a log file if its jobs may outlive it: reading a pipe would wait for them.
        """
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(log.open("w")) if log else subprocess.PIPE
            return subprocess.Popen(
                words, cwd=self.folder, env=self.env, text=True, start_new_session=True,
                stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command and return its exit code and output."""
        job = self.start(*words)
        printed = self.printed(job)
        return job.returncode, printed

    def printed(self, job: subprocess.Popen[str]) -> str:
        """Return the output of a command after its end, with the scratch folder as `…`."""
        return job.communicate()[0].replace(str(self.folder), "…")

    def head(self, cores: int = 2, log: Path | None = None) -> subprocess.Popen[str]:
        """Start the workflow."""
        return self.start("snakemake", "--cores", str(cores), *FLAGS, "--", "all", log=log)

    def study(self) -> tuple[int, str]:
        """Run the workflow after removing a lock that a kill left."""
        self.unlock()
        return self.run("snakemake", "--cores", "2", *FLAGS, "--", "all")

    def unlock(self) -> None:
        self.run("snakemake", "--configfile", "tiny.yaml", "--unlock")

    def due(self) -> Counter[str]:
        """Return the jobs that the workflow would run now, by rule."""
        _, printed = self.run(
            "snakemake", "--configfile", "tiny.yaml", "-n", "--quiet", "host", "reason", "rules"
        )
        rows = [line.split() for line in printed.splitlines()]
        return Counter({r[0]: int(r[1]) for r in rows if len(r) == 2 and r[1].isdigit()})

    def undo(self, *names: str) -> None:
        """Remove results, so that work is left; without names, all of them and the corpus.

        Snakemake does not make missing files between existing ones, so tables are removed with
        runs.
        """
        for name in names:
            path = self.folder / "results" / name
            path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
        if not names:
            for path in ("results", "data/demo", ".snakemake"):
                shutil.rmtree(self.folder / path, ignore_errors=True)

    def table(self) -> bytes:
        path = self.folder / "results/tables/scores.csv"
        return path.read_bytes() if path.is_file() else b""

    def tables(self) -> dict[str, bytes]:
        """Return each table that a program reads: name -> content."""
        results = self.folder / "results"
        paths = sorted([*results.glob("*.csv"), *results.glob("tables/*.csv")])
        return {path.name: path.read_bytes() for path in paths}


def processes(job: subprocess.Popen[str]) -> dict[int, list[str]]:
    """Return the processes of the job's process group: ID -> words of its command."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode().split("\0")
            group = int((path / "stat").read_text().rpartition(")")[2].split()[2])
        except (OSError, ValueError, UnicodeDecodeError):
            continue  # ended in the meantime
        if group == job.pid and words[0]:  # a process that has ended has no words
            found[int(path.name)] = words
    return found


def commands(job: subprocess.Popen[str]) -> list[str]:
    """Return the running `avf` commands (`train`, `media`) of the job's process group."""
    found = []
    for words in processes(job).values():
        own = [n for n, word in enumerate(words) if word.endswith("/avf")]
        if own and "python" in words[0]:
            found.append(words[own[0] + 1])
    return sorted(found)


def kill(job: subprocess.Popen[str]) -> None:
    """Send SIGKILL to the job's process group."""
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()


def until_works(job: subprocess.Popen[str], command: str) -> bool:
    """Wait for this `avf` command in the job's group; False if the job ends before."""
    while job.poll() is None:
        if command in commands(job):
            return True
        time.sleep(0.05)
    return False


def said(printed: str) -> str:
    """Return the message to act on: avf's, else Snakemake's."""
    lines = [line.strip() for line in printed.splitlines()]
    marks = ("dated after now", "avf ", "starting over", "Error: Directory", "No space left")
    for mark in (*marks, "Read-only"):
        found = [n for n, line in enumerate(lines) if mark in line and mark != "avf "]
        found += [n for n, line in enumerate(lines) if line.startswith("avf ") and mark == "avf "]
        if found:
            last = found[-1]
            more = 2 if mark == "Error: Directory" else 0  # the folder is on a separate line
            return " ".join(lines[last : last + 1 + more])[:480]
    return ""
