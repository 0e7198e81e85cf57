"""A fresh clone on the lab's SLURM: its head process, its jobs, its training runs."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "slurm"
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
PATIENCE_S = 1500
"""For a study, and for anything that is waited for: machines that test are slow at times."""


class Clone:
    """A fresh clone with a small study in config/config.yaml, on the lab's SLURM."""

    def __init__(self, folder: Path, lab: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        self.said = folder / "head.log"
        self.env = {
            **os.environ,
            "PATH": f"{BIN}:{lab / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "src"),
            "SLURM_CONF": str(lab / "etc/slurm.conf"),
        }
        self.env.pop("MLFLOW_TRACKING_URI", None)

    def fill(self) -> None:
        """Copy what git tracks or would track; put the small study and its module in place."""
        listed = self.call("git", "-C", str(ROOT), "ls-files", "-coz", "--exclude-standard")
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).exists():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name, follow_symlinks=False)
        shutil.copy2(HERE / "study.yaml", self.folder / "config/config.yaml")
        shutil.copy2(HERE / "lab_encoders.py", self.folder)

    def untrained(self, folder: Path) -> "Clone":
        """A copy of this clone with media and features, before any training."""
        done = ("runs", "scores", "tables", "figures", "logs", "report.html", "mlflow*", "mlart*")
        of_results = shutil.ignore_patterns(*done)
        of_head = shutil.ignore_patterns("head.log", "slurm_logs", "locks", "incomplete", "log")

        def skip(place: str, names: list[str]) -> set[str]:
            return (of_results if Path(place) == self.results else of_head)(place, names)

        shutil.copytree(self.folder, folder, symlinks=True, ignore=skip)
        return Clone(folder, Path(os.environ["AVF_LAB"]))

    def call(self, *words: str) -> str:
        """What a command prints; fails with it if the command does."""
        done = subprocess.run(words, cwd=self.folder, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stdout[-4000:], done.stderr[-4000:])
        return done.stdout

    def head(self, *options: str) -> subprocess.Popen:
        """Start `snakemake --profile slurm all`; what it prints is added to head.log."""
        quick = ("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10")
        words = ["snakemake", "--profile", "slurm", "all", *quick, *options]
        with self.said.open("a") as out:
            return subprocess.Popen(
                words, cwd=self.folder, env=self.env, stdout=out, stderr=subprocess.STDOUT
            )

    def finish(self, head: subprocess.Popen) -> str:
        """Wait for the study to end well; returns all that its heads have said."""
        try:
            code = head.wait(PATIENCE_S)
        finally:
            head.kill()
        said = self.said.read_text()
        assert code == 0, said[-8000:]
        return said

    def jobs(self, rule: str) -> dict[str, str]:
        """SLURM number -> state of every job of a rule in this clone, ended ones too."""
        lines = self.call("squeue", "--me", "-h", "-t", "all", "-o", "%i|%T|%k|%Z").splitlines()
        rows = [line.split("|") for line in lines]
        mine = [row for row in rows if row[3] == str(self.folder) and f"rule_{rule}" in row[2]]
        return {number: state for number, state, *_ in mine}

    def node(self, job: str) -> str:
        """Where a job runs, or ran last."""
        return self.call("squeue", "-h", "-t", "all", "-j", job, "-o", "%N").strip()

    def stop_training(self, fusion: str, after: int = 3) -> "Stopped":
        """Let a fusion's training hang once `after` epochs are on disk."""
        epochs = self.results / f"runs/demo/{fusion}/seed0/epochs.csv"
        wait_for(lambda: lines(epochs) > after, f"{after} epochs in {epochs}", 0.02)
        pid = wait_for(lambda: self.trainer(fusion), f"a process that trains {fusion}", 0.02)
        os.kill(pid, signal.SIGSTOP)
        (job,) = [n for n, state in self.jobs(f"train_wildcards_demo_{fusion}").items()
                  if state == "RUNNING"]  # fmt: skip
        done = lines(epochs) - 1
        assert done < 150, "stopped too late; give study.yaml more epochs"
        return Stopped(job, done)

    def trainer(self, fusion: str) -> int | None:
        """The process that runs `avf train demo FUSION` in this clone."""
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().decode().split("\0")
                here = (place / "cwd").resolve() == self.folder
            except OSError:
                continue
            if here and words[2:5] == ["train", "demo", fusion] and words[1].endswith("avf"):
                return int(place.name)
        return None

    def resumed(self, fusion: str) -> int:
        """The epoch after which the last try at a training run went on; 0 if it began again."""
        log = (self.results / f"logs/train/demo.{fusion}.seed0.log").read_text()
        found = re.search(r"going on after epoch (\d+)", log)
        return int(found[1]) if found else 0

    def table(self) -> bytes:
        """The study's answer."""
        return (self.results / "tables/scores.csv").read_bytes()


class Stopped:
    """A training run caught in the middle: its SLURM job, and the epochs that were on disk."""

    def __init__(self, job: str, epochs: int) -> None:
        self.job, self.epochs = job, epochs


def lines(path: Path) -> int:
    """Lines of a file; 0 where there is none."""
    return path.read_text().count("\n") if path.is_file() else 0


def wait_for(found, what: str, every_s: float = 0.5):
    """Call `found` until it answers with something true."""
    until = time.monotonic() + PATIENCE_S
    while not (answer := found()):
        assert time.monotonic() < until, f"waited {PATIENCE_S} s for {what}"
        time.sleep(every_s)
    return answer
